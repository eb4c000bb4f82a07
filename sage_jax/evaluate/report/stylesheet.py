"""The style sheet of the report page: light and dark surfaces, wide and narrow screens."""

CSS = """
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #fff; --ink: #1f2328; --muted: #5d6570; --line: #e1e5ea;
  --up: #11734b; --down: #b3400f; --soft: #f0f3f6;
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink); line-height: 1.5;
  -webkit-text-size-adjust: 100%;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .5rem 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 0 0 .6rem; }
h4 { margin: 1rem 0 .2rem; font-size: .95rem; overflow-wrap: anywhere; }
p { margin: .5rem 0; max-width: 46rem; overflow-wrap: anywhere; }
.muted, figcaption, caption { color: var(--muted); font-size: .9rem; }
section {
  background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: 1.1rem 1.2rem; margin: 1rem 0;
}
figure { margin: .2rem 0 1rem; }
img { display: block; width: 100%; height: auto; border-radius: 6px; }
figcaption { margin-top: .4rem; max-width: 46rem; }
.scroll { overflow-x: auto; }

table { border-collapse: collapse; font-size: .92rem; width: 100%;
  font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: 0 0 .4rem; }
th, td { padding: .42rem .7rem; text-align: right; vertical-align: top; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
tbody tr:last-child > * { border-bottom: 0; }
th { font-weight: 600; }
thead th { color: var(--muted); font-size: .85rem; vertical-align: bottom; }
th:first-child { text-align: left; position: sticky; left: 0; background: var(--card);
  padding-left: 0; }
.words :is(td, th) { text-align: left; }
.words td:last-child { white-space: normal; overflow-wrap: anywhere; min-width: 14rem; }
a { color: inherit; }
.range { display: block; color: var(--muted); font-size: .8rem; font-weight: 400; }
.up { color: var(--up); font-weight: 600; }
.down { color: var(--down); font-weight: 600; }
.none { color: var(--muted); }
.dot { display: inline-block; width: .72em; height: .72em; border-radius: 50%;
  margin-right: .45em; background: var(--arm); }

.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: .8rem;
  margin: 1rem 0; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  border-top: 4px solid var(--arm); padding: .75rem .85rem; }
.card h3 { margin: 0 0 .4rem; font-size: 1rem; overflow-wrap: anywhere; }
.card dl { display: grid; grid-template-columns: 1fr 1fr; gap: .1rem .5rem; margin: 0; }
.card dt { color: var(--muted); font-size: .8rem; grid-row: 1; }
.card dd { margin: 0; font-size: 1.4rem; font-weight: 650; line-height: 1.25;
  font-variant-numeric: tabular-nums; grid-row: 2; }
.card small { display: block; font-size: .82rem; font-weight: 400; line-height: 1.35; }
.card .range { font-size: .74rem; white-space: nowrap; letter-spacing: -.01em; }

.split { display: flex; width: 12rem; height: 1.05em; margin-top: .15em; border-radius: 3px;
  overflow: hidden; background: var(--line); }
.split i { background: var(--muted); }
.split i:nth-child(1) { background: var(--ink); }
.split i:nth-child(2) { background: repeating-linear-gradient(135deg, var(--ink) 0 2px,
  var(--card) 2px 5px); }
.split i:nth-child(4) { background: none; }

details { border-top: 1px solid var(--line); padding: .5rem 0; }
summary { cursor: pointer; font-weight: 600; padding: .2rem 0; }
pre { background: var(--soft); border-radius: 8px; padding: .6rem .8rem; margin: .35rem 0 .8rem;
  font: .84rem/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  white-space: pre-wrap; overflow-wrap: anywhere; }
pre.prompt { background: none; border-left: 3px solid var(--line); border-radius: 0; }
.chip { display: inline-block; border: 1px solid currentColor; border-radius: 99px;
  padding: 0 .55em; font-size: .78rem; margin-right: .5em; }

@media screen and (prefers-color-scheme: dark) {
  :root {
    --page: #0f1217; --card: #171b22; --ink: #e6eaf0; --muted: #9aa4b2; --line: #2b323d;
    --up: #4fd1a1; --down: #ff9a62; --soft: #1f252e;
  }
  .dot { background: var(--arm-dark); }
  .card { border-top-color: var(--arm-dark); }
}
@media (max-width: 40rem) {
  main { padding: .75rem .6rem 3rem; }
  section { padding: .9rem .8rem; }
  h1 { font-size: 1.4rem; }
  .wide img { width: 38rem; max-width: none; }
  .cards { grid-template-columns: 1fr; gap: .6rem; }
  th:first-child { white-space: normal; overflow-wrap: anywhere; min-width: 8rem; }
}
"""
