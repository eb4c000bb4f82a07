"use strict";
// The text that token_data.py packs. A token is a byte below 192, two below 254, or 254 and three.
const tokenBytes = (byte) => (byte < 192 ? 1 : byte < 254 ? 2 : 4);

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
    for (let left = row.tokens; left; left--) place += tokenBytes(bytes[place]);
    place += row.tokens * Object.keys(row.scales).length;
  }
  return { ...header, bytes };
}

function tokenPlace(bytes, at) {
  const first = bytes[at];
  if (first < 192) return first;
  if (first < 254) return 192 + (first - 192) * 256 + bytes[at + 1];
  return 192 + 62 * 256 + bytes[at + 1] * 65536 + bytes[at + 2] * 256 + bytes[at + 3];
}

// Gives a row the texts of its tokens and how far they reach.
function tokenTexts(data, row) {
  let place = row.begin;
  row.texts = Array.from({ length: row.tokens }, () => {
    const text = data.texts[tokenPlace(data.bytes, place)];
    place += tokenBytes(data.bytes[place]);
    return text;
  });
  return place;
}

// What a completion says, which a search asks of all of them.
const textOf = (data, row) => row.text ??= (tokenTexts(data, row), row.texts.join(""));

// Gives a row the texts and the figures of its tokens, when it is looked at.
function openTokens(data, row) {
  if (row.figures || row.tokens === undefined) return;
  let place = tokenTexts(data, row);
  row.figures = {};
  for (const [name, scale] of Object.entries(row.scales)) {
    const levels = data.levels[data.kinds[name]];
    const values = data.bytes.subarray(place, place += row.tokens);
    row.figures[name] = Array.from(values, (b) => (b === 255 ? NaN : scale * levels[b]));
  }
}
