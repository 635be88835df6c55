// The panel of one clip: player, prompt, speech against transcript, every score with its reason, details.
const panel = byId("panel");
let current = null;

function scoreRows(item) {
  return SCORES.filter((score) => score.per_clip).map((score) => {
    const value = valueOf(item, score);
    const name = make("th", { scope: "row", title: `${score.title}: ${score.says}` }, `${score.arrow} `, make("code", {}, score.name));
    const counts = measurement(item, score.metric)?.counts?.[score.name];
    if (value !== null) return make("tr", {}, name, make("td", { class: "num" }, make("b", {}, write(score, value))), make("td", { class: "why" }, counts ? `${counts[0]} of ${counts[1]}` : score.unit));
    const [word, why] = absence(item, score);
    return make("tr", {}, name, make("td", { class: word.startsWith("✕") ? "num failed" : "num dim" }, word), make("td", { class: "why" }, why));
  });
}
function player(item) {
  if (!item.clip) return make("p", { class: "gone" }, "This item has no clip.");
  const video = make("video", { controls: true, preload: "none", playsinline: true, src: item.clip, "aria-label": `Clip ${item.id}` });
  video.addEventListener("error", () => video.replaceWith(make("p", { class: "gone" },
    "The clip cannot be played here: it is not where the run left it, or the browser does not know its codec. ", make("code", {}, item.clip))), { once: true });
  return video;
}
const turns = (speech) => speech.map(([speaker, text]) => [speaker && make("span", { class: "speaker" }, speaker), text, "\n"]).flat().slice(0, -1);

function transcripts(item) {
  const found = METRICS.map((name, metric) => ({ name, ...measurement(item, metric) })).filter((entry) => typeof entry.details?.hypothesis === "string");
  const seen = new Set();
  return found.flatMap(({ name, details }) => {
    const key = `${details.reference}\n${details.hypothesis}`;
    if (seen.has(key)) return [];
    seen.add(key);
    const wanted = typeof details.reference === "string" ? details.reference : ITEMS[item].speech.map((turn) => turn[1]).join(" ");
    const [reference, hypothesis] = compared(wanted, details.hypothesis);
    const heard = details.hypothesis.trim() ? marked(hypothesis, "ins") : [make("span", { class: "dim" }, "nothing was heard")];
    return [make("p", { class: "dim" }, make("code", {}, name), details.asr ? ` by ${details.asr}` : ""),
      make("dl", { class: "pair" }, make("dt", {}, "asked for"), make("dd", {}, ...marked(reference, "del")), make("dt", {}, "heard"), make("dd", {}, ...heard))];
  });
}
function speech(item) {
  const compared = transcripts(item);
  if (!ITEMS[item].speech.length && !compared.length) return [];
  const key = make("p", { class: "dim" }, make("del", {}, "struck out"), " was not heard, ", make("ins", {}, "underlined"), " was heard instead or too. Case and punctuation are ignored.");
  return [make("h3", {}, "Speech"), ...(compared.length ? [...compared, key] : [make("p", { class: "prompt" }, ...turns(ITEMS[item].speech))])];
}
function remarks(item) {
  return METRICS.flatMap((name, metric) => {
    const found = measurement(item, metric);
    if (!found || !found.details) return [];
    const seconds = found.seconds ? `, ${found.seconds} s` : "";
    return [make("details", {}, make("summary", {}, make("code", {}, name), make("span", { class: "dim" }, ` details${seconds}`)),
      make("pre", { tabindex: "0" }, JSON.stringify(found.details, null, 2)))];
  });
}
function content(index) {
  const item = ITEMS[index];
  const badges = [item.set, item.category, item.language, ...flagsOf(index)].filter(Boolean).map((text) => make("span", { class: "badge" }, text));
  const details = remarks(index);
  return make("div", { class: "body" }, player(item), make("p", { class: "meta" }, ...badges),
    make("h3", {}, "Prompt"), make("p", { class: "prompt" }, item.prompt || make("span", { class: "dim" }, "no prompt")),
    ...speech(index), make("h3", {}, "Scores"),
    make("table", {}, make("thead", { class: "hidden" }, make("tr", {}, ...["Score", "Value", "Remark"].map((title) => make("th", { scope: "col" }, title)))), make("tbody", {}, ...scoreRows(index))),
    ...lips(index), ...(details.length ? [make("h3", {}, "Details"), ...details] : []));
}
function step(by) {
  const order = view.order.includes(current) ? view.order : ITEMS.map((_, item) => item);
  const next = order[order.indexOf(current) + by];
  if (next !== undefined) openPanel(next);
}
function openPanel(index) {
  rows[current]?.classList.remove("open");
  current = index;
  rows[index]?.classList.add("open");
  const order = view.order.includes(index) ? view.order : ITEMS.map((_, item) => item);
  const place = order.indexOf(index);
  const button = (text, label, by, off) => make("button", { type: "button", "aria-label": label, title: label, disabled: off, onclick: () => step(by) }, text);
  const close = make("button", { type: "button", "aria-label": "Close", title: "Close (Escape)", onclick: () => panel.close() }, "✕");
  panel.replaceChildren(make("div", { class: "head" }, make("h2", { id: "panel-title" }, ITEMS[index].id),
    make("span", { class: "dim" }, `${place + 1} of ${order.length}`),
    button("‹", "Previous clip (K)", -1, place === 0), button("›", "Next clip (J)", 1, place === order.length - 1), close), content(index));
  panel.scrollTop = 0;
  if (!panel.open) panel.showModal();
  close.focus({ preventScroll: true });
  history.replaceState(null, "", `#clip=${encodeURIComponent(ITEMS[index].id)}`);
}
function startPanel() {
  const places = new Map(ITEMS.map((item, place) => [item.id, place]));
  const open = (id) => { if (places.has(id)) openPanel(places.get(id)); };
  panel.addEventListener("click", (event) => { if (event.target === panel) panel.close(); });
  panel.addEventListener("close", () => {
    panel.replaceChildren();
    history.replaceState(null, "", "#clips");
    rows[current]?.querySelector("button").focus({ preventScroll: true });
  });
  panel.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "j") step(1);
    if (event.key === "k") step(-1);
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-item]");
    if (button) open(button.dataset.item);
  });
  const linked = () => { if (location.hash.startsWith("#clip=")) open(new URLSearchParams(location.hash.slice(1)).get("clip")); };
  addEventListener("hashchange", linked);
  linked();
}
