// The table of clips. Only the rows near the scroll position are in the page, in columns of fixed width, so that sorting
// costs the same for sixty clips and for six thousand.
const STEP = 60; // rows added at a time
const FIRST_WIDTH = 132;
const COLUMNS = [
  { key: "set", title: "Set", width: 92, read: (i) => ITEMS[i].set },
  { key: "prompt", title: "Prompt", width: 290, text: true, read: (i) => ITEMS[i].prompt },
  { key: "flags", title: "Flags", width: 180, read: (i) => flagsOf(i).join(", ") },
  ...SCORES.filter((score) => score.per_clip).map((score) => ({
    key: score.name, title: score.name, width: Math.max(96, 64 + 7.4 * score.name.length), score, read: (i) => valueOf(i, score),
  })),
];
const view = { column: null, down: false, hidden: new Set(), range: null, order: [] };
let rows = [];

function flagsOf(item) {
  const all = new Set(ITEMS[item].flags);
  METRICS.forEach((_, metric) => (CELLS[item][metric]?.[5] || []).forEach((flag) => all.add(flag)));
  return [...all];
}
function stateOf(item) {
  const cells = CELLS[item];
  return {
    failed: cells.some((cell) => cell && cell[0] === FAILED),
    na: cells.some((cell) => cell && cell[0] === NOT_APPLICABLE),
    whole: cells.length > 0 && cells.every((cell) => cell && !cell[0]),
    unmeasured: cells.some((cell) => !cell),
    noclip: !ITEMS[item].clip,
    flagged: flagsOf(item).length > 0,
  };
}
const STATES = ITEMS.map((_, item) => stateOf(item));
const HAYSTACK = ITEMS.map((item) =>
  [item.id, item.set, item.category, item.language, item.prompt, ...item.speech.map((turn) => turn[1])].join("\n").toLowerCase());

function bodyCell(column, item) {
  if (!column.score) {
    const text = column.read(item);
    const kind = column.text ? "text" : column.key === "flags" ? "flag" : null;
    return make("td", { class: kind, title: column.text ? text.slice(0, 600) : null }, text.slice(0, 160));
  }
  const value = column.read(item);
  if (value !== null) return make("td", { class: "num" }, write(column.score, value));
  const [word, why] = absence(item, column.score);
  return make("td", { class: word.startsWith("✕") ? "num failed" : "num dim", title: why }, word);
}
function bodyRow(item) {
  const name = make("button", { type: "button", class: ITEMS[item].clip ? "link" : "link none" }, ITEMS[item].id);
  const row = make("tr", {}, make("th", { scope: "row", title: ITEMS[item].id }, name));
  COLUMNS.forEach((column) => row.append(bodyCell(column, item)));
  row.addEventListener("click", () => openPanel(item));
  return row;
}
function headCell(title, key, attributes) {
  const button = make("button", { type: "button", title: attributes.title }, title, make("span", { class: "by", "aria-hidden": "true" }));
  button.addEventListener("click", () => sortBy(key));
  return make("th", { scope: "col", class: attributes.class, "data-key": key }, button);
}
function sortBy(key) {
  if (view.column !== key) Object.assign(view, { column: key, down: false });
  else if (!view.down) view.down = true;
  else Object.assign(view, { column: null, down: false });
  for (const head of document.querySelectorAll("#clip-table thead th")) {
    const mine = head.dataset.key === view.column;
    if (mine) head.setAttribute("aria-sort", view.down ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
    head.querySelector(".by").textContent = mine ? (view.down ? "▼" : "▲") : "";
  }
  refresh();
}
// Order of items; those without a value come last in both directions, equal ones stay in benchmark order.
function sorted(chosen) {
  if (view.column === null) return chosen;
  const read = view.column === "id" ? (i) => ITEMS[i].id : COLUMNS.find((column) => column.key === view.column).read;
  const keys = new Map(chosen.map((item) => [item, read(item)]));
  const sign = view.down ? -1 : 1;
  const collator = new Intl.Collator(undefined, { numeric: true });
  return [...chosen].sort((a, b) => {
    const [x, y] = [keys.get(a), keys.get(b)];
    const [noX, noY] = [x === null || x === "", y === null || y === ""];
    if (noX || noY) return noX - noY || a - b;
    return sign * (typeof x === "number" ? x - y : collator.compare(x, y)) || a - b;
  });
}
function chosenItems() {
  const words = byId("find").value.toLowerCase().split(/\s+/).filter(Boolean);
  const set = byId("pick-set").value;
  const state = byId("pick-status").value;
  return ITEMS.map((_, item) => item).filter((item) =>
    (!set || ITEMS[item].set === set) && (!state || STATES[item][state]) &&
    words.every((word) => HAYSTACK[item].includes(word)) && (!view.range || view.range.items.has(item)));
}
function refresh() {
  view.order = sorted(chosenItems());
  byId("clip-table").tBodies[0].replaceChildren();
  byId("clip-scroll").scrollTop = 0;
  extend();
  const count = byId("count");
  count.replaceChildren(view.order.length === ITEMS.length ? plural(ITEMS.length, "clip") : `${view.order.length} of ${plural(ITEMS.length, "clip")}`);
  if (!view.order.length) count.append(": nothing matches these filters");
  if (view.range) count.append(make("button", { type: "button", class: "chip", onclick: () => showRange(null) }, `${view.range.label} ✕`));
}
// Add rows until there are enough below the edge of the box.
function extend() {
  const [box, body] = [byId("clip-scroll"), byId("clip-table").tBodies[0]];
  while (body.rows.length < view.order.length && box.scrollHeight - box.scrollTop < box.clientHeight * 2 + 400) {
    body.append(...view.order.slice(body.rows.length, body.rows.length + STEP).map((item) => (rows[item] ??= bodyRow(item))));
  }
}
// Show only the given items; null shows all again. `label` says what they have in common.
function showRange(items, label) {
  view.range = items ? { items: new Set(items), label } : null;
  refresh();
  if (items) byId("clips").scrollIntoView();
}
function startChooser() {
  const boxes = COLUMNS.map((column, place) => {
    const box = make("input", { type: "checkbox" });
    box.checked = !view.hidden.has(place);
    box.addEventListener("change", () => hide(place, !box.checked));
    return [box, make("label", {}, box, make("span", {}, column.title))];
  });
  const all = (on) => boxes.forEach(([box], place) => { box.checked = on; hide(place, !on, true); });
  const button = (text, on) => make("button", { type: "button", class: "link", onclick: () => { all(on); restyle(); } }, text);
  byId("columns").append(make("div", { class: "all" }, button("all", true), button("none", false)), ...boxes.map((pair) => pair[1]));
  document.addEventListener("click", (event) => { if (!byId("chooser").contains(event.target)) byId("chooser").open = false; });
  byId("chooser").addEventListener("keydown", (event) => { if (event.key === "Escape") byId("chooser").open = false; });
}
function hide(place, away, later = false) {
  if (away) view.hidden.add(place); else view.hidden.delete(place);
  if (!later) restyle();
}
// One style rule per hidden column costs less than touching every cell; the id is always there.
const columnStyle = make("style");
function restyle() {
  const shown = COLUMNS.filter((_, place) => !view.hidden.has(place));
  const width = shown.reduce((sum, column) => sum + column.width, FIRST_WIDTH);
  const hidden = [...view.hidden].map((place) => `#clip-table tr > :nth-child(${place + 2}), #clip-table col:nth-child(${place + 2}) { display: none; }`);
  columnStyle.textContent = `#clip-table { min-width: ${width}px; }\n${hidden.join("\n")}`;
}
function startTable() {
  const head = make("tr", {}, headCell("Clip", "id", {}));
  COLUMNS.forEach((column) => head.append(headCell(column.score ? `${column.title} ${column.score.arrow}` : column.title, column.key, {
    class: column.score ? "num" : null, title: column.score ? `${column.score.title}: ${column.score.says}` : null,
  })));
  byId("clip-table").tHead.append(head);
  const widths = [FIRST_WIDTH, ...COLUMNS.map((column) => column.width)];
  byId("clip-table").prepend(make("colgroup", {}, ...widths.map((width) => make("col", { style: `width: ${width}px` }))));
  document.head.append(columnStyle);
  DATA.sets.forEach((name) => byId("pick-set").append(make("option", { value: name }, name)));
  ["find", "pick-set", "pick-status"].forEach((id) => byId(id).addEventListener("input", refresh));
  byId("tools").addEventListener("submit", (event) => event.preventDefault());
  byId("clip-scroll").addEventListener("scroll", extend, { passive: true });
  addEventListener("resize", extend);
  const flags = COLUMNS.findIndex((column) => column.key === "flags");
  if (!STATES.some((state) => state.flagged)) view.hidden.add(flags);
  restyle();
  startChooser();
  refresh();
}
