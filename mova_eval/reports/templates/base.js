// What the other parts share: the data, making elements (texts only ever become text nodes), writing numbers, the theme.
const DATA = JSON.parse(document.getElementById("data").textContent);
const { items: ITEMS, cells: CELLS, scores: SCORES, metrics: METRICS, strings: STRINGS } = DATA;
const [SCORED, NOT_APPLICABLE, FAILED] = [0, 1, 2];
const DASH = "–";
const SVG = "http://www.w3.org/2000/svg";
const byId = (id) => document.getElementById(id);

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}
const make = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const draw = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

// A measurement of an item by a metric, or null where none was made; see embed.py for the order of a cell.
function measurement(item, metric) {
  const cell = CELLS[item][metric];
  if (!cell) return null;
  const [status = 0, values = [], code = 0, reason = 0, details = 0, flags = 0, counts = 0, seconds = 0] = cell;
  return {
    status, values, details, counts, seconds,
    code: code ? STRINGS[code - 1] : "", reason: reason ? STRINGS[reason - 1] : "", flags: flags || [],
  };
}
function valueOf(item, score) {
  const cell = CELLS[item][score.metric];
  return cell && cell[0] === SCORED ? cell[1]?.[score.place] ?? null : null;
}
function write(score, value) {
  if (value === null || !Number.isFinite(value)) return DASH;
  const text = (value * score.scale).toFixed(score.decimals);
  return (Number(text) === 0 ? text.replace("-", "") : text) + score.suffix;
}
// Why a score has no number for an item: [icon and word, sentence].
function absence(item, score) {
  const found = measurement(item, score.metric);
  if (!found) return [DASH, ITEMS[item].clip ? "not measured yet" : "no clip"];
  if (found.status === FAILED) return ["✕ failed", found.reason || found.code];
  if (found.status === NOT_APPLICABLE) return ["n/a", found.reason || found.code];
  return ["n/a", found.details?.left_out?.[score.name] ?? (score.per_clip ? "left out by the metric" : "counts in the set’s value only")];
}
const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

function startTheme() {
  const names = ["system", "light", "dark"];
  const button = byId("theme");
  let kept = "system";
  try { kept = localStorage.getItem("mova-eval-theme") ?? "system"; } catch { /* storage is off: the choice lasts until reload */ }
  const show = (name) => {
    if (name === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
    button.textContent = `Theme: ${name}`;
    button.dataset.theme = name;
  };
  button.addEventListener("click", () => {
    const next = names[(names.indexOf(button.dataset.theme) + 1) % names.length];
    show(next);
    try { localStorage.setItem("mova-eval-theme", next); } catch { /* as above */ }
  });
  show(names.includes(kept) ? kept : "system");
}
