// Differences of a transcript against what should have been said, by words (by characters for Chinese and Japanese).
const UNIT = /[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3040-\u30ff]|[\u{20000}-\u{3ffff}]|[\p{L}\p{N}\p{M}'’-]+|\s+|[^\s]/gu;
const MOST_UNITS = 1500; // of one text; longer ones are shown without differences

// Units with a key for comparing: letters and digits in lower case, "" for blanks and punctuation, which never differ.
function units(text) {
  return (text.match(UNIT) ?? []).map((shown) => ({ shown, key: shown.normalize("NFKC").toLowerCase().replace(/[^\p{L}\p{N}\p{M}]/gu, "") }));
}
// Length of the longest common subsequence for every pair of ends, as one flat table.
function commonTable(a, b) {
  const width = b.length + 1;
  const table = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      table[i * width + j] = a[i].key === b[j].key ? table[(i + 1) * width + j + 1] + 1 : Math.max(table[(i + 1) * width + j], table[i * width + j + 1]);
  return table;
}
// [units of a marked missing or not, units of b marked extra or not]
function compared(reference, hypothesis) {
  const [a, b] = [units(reference), units(hypothesis)];
  const [x, y] = [a.filter((unit) => unit.key), b.filter((unit) => unit.key)];
  if (x.length > MOST_UNITS || y.length > MOST_UNITS) return [a, b];
  const table = commonTable(x, y);
  const width = y.length + 1;
  let [i, j] = [0, 0];
  while (i < x.length && j < y.length) {
    if (x[i].key === y[j].key) { i++; j++; }
    else if (table[(i + 1) * width + j] >= table[i * width + j + 1]) x[i++].differs = true;
    else y[j++].differs = true;
  }
  while (i < x.length) x[i++].differs = true;
  while (j < y.length) y[j++].differs = true;
  return [a, b];
}
// Units as nodes; neighbours that differ share one element, the blanks between them included.
function marked(list, tag) {
  const nodes = [];
  let run = "";
  const flush = () => { if (run) nodes.push(make(tag, {}, run)); run = ""; };
  list.forEach((unit, place) => {
    const inside = !unit.key && run && list.slice(place + 1).find((next) => next.key)?.differs;
    if (unit.differs || inside) run += unit.shown;
    else { flush(); nodes.push(unit.shown); }
  });
  flush();
  return nodes;
}
