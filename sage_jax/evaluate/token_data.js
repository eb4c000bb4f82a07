"use strict";
// The text that token_data.py packs.
async function unpackTokens(text) {
  const raw = Uint8Array.fromBase64 ? Uint8Array.fromBase64(text)
    : Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([raw]).stream().pipeThrough(new DecompressionStream("deflate"));
  const buffer = await new Response(stream).arrayBuffer(), bytes = new Uint8Array(buffer);
  const size = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + size)));
  let place = 4 + size;
  for (const row of header.rows) {
    if (row.tokens === undefined) continue;
    row.begin = place;
    for (let left = row.tokens; left; place++) if (bytes[place] < 255) left--;
    place += row.tokens * Object.keys(row.scales).length;
  }
  return { ...header, bytes };
}

// Gives a row the texts and the figures of its tokens, when it is looked at.
function openTokens(data, row) {
  if (row.texts || row.tokens === undefined) return;
  let place = row.begin, from = 0;
  row.texts = Array.from({ length: row.tokens }, () => {
    let length = 0, byte;
    do length += byte = data.bytes[place++]; while (byte === 255);
    return row.text.slice(from, from += length);
  });
  row.figures = {};
  for (const [name, scale] of Object.entries(row.scales)) {
    const kind = data.kinds[name], values = data.bytes.subarray(place, place += row.tokens);
    row.figures[name] = Array.from(values, (b) =>
      b === 255 ? NaN : kind === "q" ? b / 100 : kind === "plain" ? scale * (b / 254) ** 2
        : Math.sign(b - 127) * scale * ((b - 127) / 127) ** 2);
  }
}
