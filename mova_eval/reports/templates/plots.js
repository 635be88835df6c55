// One card per score: a row per set with a histogram, or with single dots where clips are few.
const PLOT = { width: 330, left: 4, right: 326, rowHeight: 46, top: 4, bins: 28, fewDots: 24 };

function extent(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) { low = Math.min(low, value); high = Math.max(high, value); }
  if (low === high) { const pad = Math.abs(low) * 0.05 || 0.5; return [low - pad, high + pad]; }
  return [low, high];
}
function mark(tag, attributes, said, chosen, label) {
  const show = () => (chosen.length === 1 ? openPanel(chosen[0]) : showRange(chosen, label));
  const node = draw(tag, { ...attributes, class: "mark", role: "button", tabindex: "-1", "aria-label": said }, draw("title", {}, said));
  node.addEventListener("click", show);
  return node;
}
function histogram(score, set, pairs, [low, high], x, base) {
  const bins = Array.from({ length: PLOT.bins }, () => []);
  for (const [item, value] of pairs) bins[Math.min(PLOT.bins - 1, Math.floor(((value - low) / (high - low)) * PLOT.bins))].push(item);
  const tallest = Math.max(...bins.map((bin) => bin.length));
  return bins.map((bin, place) => {
    if (!bin.length) return null;
    const [from, to] = [place, place + 1].map((edge) => low + ((high - low) * edge) / PLOT.bins);
    const height = Math.max(1.5, (bin.length / tallest) * (PLOT.rowHeight - 20));
    const label = `${score.name} ${write(score, from)} to ${write(score, to)}, ${set}`;
    const box = { x: x(from) + 0.5, width: Math.max(1, x(to) - x(from) - 1), y: base - height, height };
    return mark("rect", box, `${label}: ${plural(bin.length, "clip")}`, bin, label);
  });
}
function dots(score, set, pairs, x, base) {
  return pairs.map(([item, value], place) => {
    const said = `${ITEMS[item].id}: ${write(score, value)}`;
    return mark("circle", { cx: x(value), cy: base - 6 - 4 * (place % 3), r: 3.4 }, said, [item], said);
  });
}
function plotRow(score, set, pairs, domain, x, place) {
  const base = PLOT.top + (place + 1) * PLOT.rowHeight - 4;
  const group = draw("g", {}, draw("line", { class: "base", x1: PLOT.left, x2: PLOT.right, y1: base, y2: base }));
  const [value, low, high] = score.sets[set] ?? [];
  const top = base - PLOT.rowHeight + 18;
  if (low !== undefined) group.append(draw("rect", { class: "band", x: x(low), width: Math.max(1, x(high) - x(low)), y: top, height: base - top }));
  group.append(...(pairs.length > PLOT.fewDots ? histogram(score, set, pairs, domain, x, base) : dots(score, set, pairs, x, base)).filter(Boolean));
  if (value !== undefined) group.append(draw("line", { class: "mean", x1: x(value), x2: x(value), y1: top, y2: base }));
  const said = value === undefined ? DASH : write(score, value);
  group.append(
    draw("text", { class: "setname", x: PLOT.left, y: base - PLOT.rowHeight + 14 }, set),
    draw("text", { x: PLOT.right, y: base - PLOT.rowHeight + 14, "text-anchor": "end" }, `${said}, ${plural(pairs.length, "clip")}`));
  return group;
}
function plotCard(score) {
  const bySet = new Map(DATA.sets.map((set) => [set, []]));
  ITEMS.forEach((item, place) => {
    const value = valueOf(place, score);
    if (value !== null) bySet.get(item.set).push([place, value]);
  });
  const filled = [...bySet].filter(([, pairs]) => pairs.length);
  if (!filled.length) return null;
  const shown = filled.flatMap(([set, pairs]) => [...pairs.map((pair) => pair[1]), ...(score.sets[set] ?? [])]);
  const domain = extent(shown);
  const x = (value) => Math.round(10 * (PLOT.left + ((value - domain[0]) / (domain[1] - domain[0])) * (PLOT.right - PLOT.left))) / 10;
  const height = PLOT.top + filled.length * PLOT.rowHeight + 14;
  const svg = draw("svg", { viewBox: `0 0 ${PLOT.width} ${height}`, role: "group", "aria-label": `${score.title} by set, ${write(score, domain[0])} to ${write(score, domain[1])}` });
  filled.forEach(([set, pairs], place) => svg.append(plotRow(score, set, pairs, domain, x, place)));
  svg.append(
    draw("text", { x: PLOT.left, y: height - 2 }, write(score, domain[0])),
    draw("text", { x: PLOT.right, y: height - 2, "text-anchor": "end" }, write(score, domain[1])));
  const head = make("h3", {}, make("span", { title: score.says }, `${score.arrow} ${score.title}`), make("span", { class: "dim" }, score.unit));
  return make("article", { class: "plot" }, head, svg);
}
function startPlots() {
  const cards = SCORES.map(plotCard).filter(Boolean);
  if (cards.length) byId("plots").append(...cards);
  else byId("distributions").hidden = true;
}
