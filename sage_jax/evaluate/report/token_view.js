"use strict";
// Completions token by token. Text of a model is only ever set as text, never as markup.
(() => {
  const root = document.getElementById("tokens");
  const at = (name) => root.querySelector(".tv-" + name);
  const filters = at("filters"), list = at("problems"), body = at("body"), read = at("read");
  const strange = new RegExp("[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f" +
    "\\u202a-\\u202e\\u2066-\\u2069]|[\\ud800-\\udbff](?![\\udc00-\\udfff])" +
    "|(?<![\\ud800-\\udbff])[\\udc00-\\udfff]", "g");
  const visible = (text) => text.replace(strange, (c) =>
    "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
  let data, view = "entropy", found = [], chosen = 0, spot = null;

  function make(name, className, text, ...children) {
    const element = document.createElement(name);
    if (className) element.className = className;
    if (text) element.textContent = visible(text);
    element.append(...children);
    return element;
  }

  // Colours --------------------------------------------------------------------------------------
  function level(value, { edges, middle }) {
    if (value === undefined || Number.isNaN(value)) return "";
    const away = middle === null ? value : Math.abs(value - middle) + 1e-9;
    const count = edges.filter((edge) => away >= edge).length;
    return count ? (middle === null ? "s" : value > middle ? "p" : "n") + count : "";
  }

  function paint(card) {
    const row = card.row, spec = data.views[view], values = row.figures && row.figures[view];
    if (!row.texts) return;
    const levels = row.texts.map((_, i) => spec && values ? level(values[i], spec) : "");
    card.querySelectorAll(".t").forEach((span, i) => { span.className = "t " + levels[i]; });
    const cells = Math.min(levels.length, 150), each = levels.length / cells;
    card.querySelector(".tv-strip").replaceChildren(...Array.from({ length: cells }, (_, cell) => {
      const first = Math.floor(cell * each), own = levels.slice(first, Math.ceil((cell + 1) * each));
      const most = own.reduce((a, b) => ((b[1] || 0) > (a[1] || 0) ? b : a), "");
      const bar = make("i", most);
      bar.dataset.i = first + Math.max(0, own.indexOf(most));
      return bar;
    }));
    card.querySelector(".tv-sum").textContent = summary(row);
  }

  const known = (values) => (values || []).filter((value) => !Number.isNaN(value));
  const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
  const signed = (value, digits = 2) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(digits);

  function summary({ figures, tokens }) {
    const said = [`${tokens} tokens`];
    const tell = (name, how) => {
      const values = known(figures[name]);
      if (values.length) said.push(how(values));
    };
    tell("entropy", (values) => `mean entropy ${mean(values).toFixed(2)} nats`);
    tell("q", (values) => `q ≠ 1 at ${(100 * mean(values.map((q) => +(q !== 1)))).toFixed(1)}%`);
    tell("change", (values) => `mean change ${signed(mean(values))} nats`);
    tell("advantage", (values) => `mean advantage ${signed(mean(values))}`);
    return said.join(" · ");
  }

  // The problem that is looked at ----------------------------------------------------------------
  function card(row) {
    openTokens(data, row);
    const sign = row.reward <= 0 ? "✗" : row.reward >= 1 ? "✓" : "◐";
    const look = row.reward <= 0 ? "down" : row.reward >= 1 ? "up" : "none";
    const ended = row.finish && `ended by ${row.finish}`;
    const head = make("p", "", "", make("span", "chip " + look, `${sign} reward ${+row.reward.toFixed(3)}`),
      make("span", "muted", [row.where, row.reason, ended].filter(Boolean).join(" · ")));
    const text = make("pre");
    text.tabIndex = 0;
    text.setAttribute("role", "group");
    text.setAttribute("aria-label", `completion of ${data.runs[row.run]}, reward ${row.reward}`);
    const made = make("div", "tv-card", "", head);
    made.row = row;
    if (row.texts) {
      text.append(...row.texts.map((piece, i) => {
        const span = make("span", "t", piece);
        span.dataset.i = i;
        return span;
      }));
      const strip = make("div", "tv-strip");
      strip.setAttribute("aria-hidden", "true");
      made.append(make("p", "tv-sum muted"), strip, text);
    } else {
      text.textContent = visible(row.text);
      made.append(make("p", "muted", "text alone, no figures of its tokens"), text);
    }
    paint(made);
    return made;
  }

  // Best, worst, second best, second worst, ...: right and wrong side by side.
  function paired(rows) {
    const sorted = [...rows].sort((a, b) => b.reward - a.reward);
    return sorted.map((_, i) => sorted.at(i % 2 ? -(i + 1) / 2 : i / 2));
  }

  function show() {
    spot = null;
    read.textContent = read.dataset.hint;
    const { problem, rows } = found[chosen] || {};
    list.value = chosen;
    if (!problem) return body.replaceChildren(make("p", "muted", "No completion is like that."));
    const parts = problem.prompt ? [make("pre", "prompt", problem.prompt)] : [];
    if (problem.gold) parts.push(make("p", "", `right answer: ${problem.gold}`));
    data.runs.forEach((name, run) => {
      const own = rows.filter((row) => row.run === run);
      if (!own.length) return;
      const dot = at("runs").querySelectorAll(".dot")[run].cloneNode();
      const moved = problem.moves[run] ? ` · ${problem.moves[run]} against its base` : "";
      parts.push(make("h4", "", "", dot, visible(name) + moved),
        make("div", "tv-cards", "", ...paired(own).map(card)));
    });
    body.replaceChildren(...parts);
  }

  // Filters --------------------------------------------------------------------------------------
  const right = (row) => row.reward >= 1, wrong = (row) => row.reward <= 0;
  const kinds = {
    all: () => true, right, wrong, between: (row) => !right(row) && !wrong(row),
    both: (row, all) => all.some((o) => o.run === row.run && o.where === row.where
      && right(o) !== right(row)),
  };

  function filter() {
    const runs = [...at("runs").querySelectorAll("input")].map((box) => box.checked);
    const words = filters.querySelector("[type=search]").value.trim();
    const wanted = new RegExp(words.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "i");
    const [reward, moved] = [...filters.querySelectorAll("select")].map((one) => one.value);
    const before = found[chosen] && found[chosen].problem;
    found = [];
    data.problems.forEach((problem) => {
      const all = problem.rows.filter((row) => runs[row.run]);
      const rows = all.filter((row) => kinds[reward](row, all));
      const gone = Object.entries(problem.moves).some(([run, how]) => runs[run] && how === moved);
      const texts = words ? [problem.id, problem.prompt, problem.gold, ...rows.map((r) => textOf(data, r))] : [];
      if (rows.length && (moved === "all" || gone) && (!words || texts.some((t) => wanted.test(t))))
        found.push({ problem, rows });
    });
    list.replaceChildren(...found.map(({ problem, rows }, place) => {
      const some = (problem.prompt || "").replace(/\s+/g, " ").slice(-60);
      const good = rows.filter(right).length;
      const option = make("option", "", `${problem.id} · ${good} of ${rows.length} right · ${some}`);
      option.value = place;
      return option;
    }));
    const count = found.reduce((sum, one) => sum + one.rows.length, 0);
    at("count").textContent = `${found.length} of ${data.problems.length} problems, ` +
      `${count} of ${data.rows.length} completions`;
    chosen = Math.max(0, found.findIndex((one) => one.problem === before));
    show();
  }

  function look(name) {
    view = name;
    root.querySelectorAll("[name=tv-view]").forEach((one) => { one.checked = one.value === name; });
    root.querySelectorAll(".tv-key").forEach((one) => { one.hidden = one.dataset.view !== name; });
    body.querySelectorAll(".tv-card").forEach(paint);
  }

  function go(step) {
    if (found.length) chosen = (chosen + step + found.length) % found.length;
    show();
  }

  // One token ------------------------------------------------------------------------------------
  function point(span) {
    if (spot) spot.classList.remove("on");
    spot = span;
    if (!span) return;
    span.classList.add("on");
    const { figures: f, texts } = span.closest(".tv-card").row, i = +span.dataset.i;
    const said = [`token ${i + 1} of ${texts.length}`];
    const tell = (name, how) => { if (f[name] && !Number.isNaN(f[name][i])) said.push(how(f[name][i])); };
    tell("entropy", (v) => `entropy ${v.toFixed(2)} nats`);
    tell("q", (v) => `q ${v.toFixed(2)}`);
    tell("advantage", (v) => `advantage ${signed(v)}`);
    tell("surprisal", (v) => `probability ${(100 * Math.exp(-v)).toPrecision(2)}%`);
    tell("change", (v) => `change of log-probability since the base ${signed(v)} nats`);
    const text = texts[i] ? JSON.stringify(texts[i]) : "(writes nothing)";
    read.replaceChildren(make("b", "", text), " " + said.join(" · "));
  }

  function move(event) {
    const all = [...event.target.querySelectorAll(".t")], now = all.indexOf(spot);
    const coloured = (one) => one.className.trim() !== "t" && one !== spot;
    const next = {
      ArrowRight: () => all[now + 1], ArrowLeft: () => all[now - 1], Home: () => all[0],
      End: () => all.at(-1), ArrowDown: () => all.slice(now + 1).find(coloured),
      ArrowUp: () => all.slice(0, Math.max(now, 0)).reverse().find(coloured),
    }[event.key];
    if (!next || !all.length) return;
    event.preventDefault();
    const span = next();
    if (!span) return;
    point(span);
    span.scrollIntoView({ block: "nearest" });
  }

  function key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !data) return;
    if (event.target.matches("pre")) move(event);
    if (event.target.matches("select, [type=search]")) return;
    const names = [...Object.keys(data.views), "plain"], place = +event.key - 1;
    if (names[place]) look(names[place]);
    else if (event.key === "[" || event.key === "]") go(event.key === "]" ? 1 : -1);
    else if (event.key === "/") { event.preventDefault(); filters.querySelector("[type=search]").focus(); }
  }

  function listen() {
    let wait;
    const later = () => { clearTimeout(wait); wait = setTimeout(filter, 150); };
    filters.addEventListener("input", (e) => (e.target.type === "search" ? later() : filter()));
    root.querySelector(".tv-views").addEventListener("change", (e) => look(e.target.value));
    list.addEventListener("change", () => { chosen = +list.value; show(); });
    at("back").addEventListener("click", () => go(-1));
    at("next").addEventListener("click", () => go(1));
    body.addEventListener("mouseover", (e) => { if (e.target.matches(".t")) point(e.target); });
    body.addEventListener("click", (e) => {
      if (!e.target.dataset.i) return;
      const text = e.target.closest(".tv-card").querySelector("pre");
      const span = text.children[e.target.dataset.i];
      point(span);
      if (e.target !== span) span.scrollIntoView({ block: "nearest" });
      text.focus({ preventScroll: true });
    });
    body.addEventListener("focusin", (e) => {
      if (e.target.matches("pre") && !e.target.contains(spot)) point(e.target.querySelector(".t"));
    });
    document.addEventListener("keydown", key);
    addEventListener("hashchange", () => {  // From a link of the page.
      if (!location.hash.includes("=")) return;
      preset();
      root.scrollIntoView();
    });
  }

  // `#view=q&find=word&reward=both&moved=gained&run=one&run=other&problem=3` begins there.
  function preset() {
    const asked = new URLSearchParams(location.hash.slice(1));
    const set = (one, name) => { if (asked.has(name)) one.value = asked.get(name); };
    const [reward, moved] = filters.querySelectorAll("select");
    set(filters.querySelector("[type=search]"), "find");
    set(reward, "reward");
    set(moved, "moved");
    const boxes = at("runs").querySelectorAll("input"), named = asked.getAll("run");
    if (named.length) boxes.forEach((box, run) => { box.checked = named.includes(data.runs[run]); });
    filter();
    look([...Object.keys(data.views), "plain"].includes(asked.get("view")) ? asked.get("view") : view);
    if (asked.has("problem")) go(+asked.get("problem") - 1 || 0);
  }

  async function start() {
    const message = at("message");
    try {
      data = await unpackTokens(document.getElementById("tv-data").textContent);
    } catch (error) {
      message.textContent = `The figures of tokens cannot be unpacked here (${error}); another ` +
        "browser may. Below stands the text of some completions.";
      return;
    }
    data.problems.forEach((problem) => { problem.rows = []; });
    data.rows.forEach((row) => {
      row.reward ??= NaN;
      data.problems[row.problem].rows.push(row);
    });
    message.hidden = true;
    root.querySelector(".tv").hidden = false;
    root.querySelector(".tv-text").hidden = true;
    listen();
    preset();
    root.dataset.ready = "yes";
  }

  requestAnimationFrame(() => setTimeout(start)); // The page is painted first.
})();
