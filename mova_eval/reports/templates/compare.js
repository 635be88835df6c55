// The clips of two runs, side by side and in step.
const SHOWN_AT_FIRST = 40;
const DRIFT = 0.08; // seconds that the two may differ before one is set right
const list = { order: [], shown: SHOWN_AT_FIRST, current: null, sound: "head" };
const HAYSTACK = ITEMS.map((item) => `${item.id}\n${item.set}\n${item.prompt}`.toLowerCase());

const signedText = (score, value) => (value > 0 ? "+" : "") + write({ ...score, suffix: score.suffix === "%" ? " pp" : score.suffix }, value);
// Change of an item in one score towards worse; null where a number is missing. Without a direction: its size.
function lossOf(item, place) {
  const pair = item.values[place];
  if (!pair || pair[0] === null || pair[1] === null) return null;
  const moved = pair[1] - pair[0];
  const turn = { higher: -1, lower: 1, target: 0 }[SCORES[place].direction];
  return turn ? turn * moved : Math.abs(moved);
}
function keyOf(item) {
  const [by, way] = byId("order").value.split(":");
  const loss = by === "all" ? item.loss : lossOf(item, Number(by));
  return loss === null ? null : way === "best" ? -loss : loss;
}
function lostNumber(item) {
  return SCORES.some((_, place) => item.values[place] && item.values[place][0] !== null && item.values[place][1] === null);
}
function refreshList() {
  const words = byId("find").value.toLowerCase().split(/\s+/).filter(Boolean);
  const set = byId("pick-set").value;
  const lost = byId("order").value === "lost:";
  const keys = ITEMS.map((item) => (lost ? (lostNumber(item) ? 1 : null) : keyOf(item)));
  list.order = ITEMS.map((_, place) => place)
    .filter((place) => (!set || ITEMS[place].set === set) && (!lost || keys[place]) && words.every((word) => HAYSTACK[place].includes(word)))
    .sort((a, b) => (keys[a] === null) - (keys[b] === null) || keys[b] - keys[a] || a - b);
  list.shown = SHOWN_AT_FIRST;
  byId("found").scrollTop = 0;
  drawList();
  byId("count").textContent = list.order.length === ITEMS.length ? plural(ITEMS.length, "item") : `${list.order.length} of ${plural(ITEMS.length, "item")}`;
}
function changeShown(item) {
  const [by] = byId("order").value.split(":");
  if (by === "all" || by === "lost") {
    if (item.loss === null) return make("span", { class: "by dim" }, DASH);
    return make("span", { class: `by ${item.loss > 0 ? "bad" : "good"}`, title: "mean change towards worse, in usual changes" }, `${item.loss > 0 ? "▼" : "▲"} ${Math.abs(item.loss).toFixed(2)}`);
  }
  const score = SCORES[Number(by)];
  const pair = item.values[Number(by)];
  const loss = lossOf(item, Number(by));
  if (loss === null) return make("span", { class: "by dim" }, DASH);
  const kind = score.direction === "target" ? "" : loss > 0 ? "bad" : loss < 0 ? "good" : "";
  return make("span", { class: `by ${kind}` }, signedText(score, pair[1] - pair[0]));
}
function drawList() {
  const rows = list.order.slice(0, list.shown).map((place) => {
    const item = ITEMS[place];
    return make("li", {}, make("button", { type: "button", "data-place": place, "aria-current": place === list.current, onclick: () => openItem(place) },
      make("span", { class: "id" }, `${item.id}`), changeShown(item), make("span", { class: "what" }, `${item.set} · ${item.prompt || "no prompt"}`)));
  });
  if (list.order.length > list.shown) rows.push(make("li", {}, make("button", { type: "button", class: "more", onclick: () => { list.shown += 100; drawList(); } }, `${list.order.length - list.shown} more`)));
  byId("found").replaceChildren(...rows);
}
function video(side, item, address) {
  const name = DATA.names[side === "base" ? 0 : 1];
  const caption = make("figcaption", {}, make("b", { title: name }, name), make("span", {}, side));
  const gone = (text) => make("p", { class: "gone" }, text);
  if (!address) return [make("figure", {}, caption, gone("no clip")), null];
  const player = make("video", { src: address, preload: "auto", playsinline: true, "aria-label": `${side}: clip ${item.id}` });
  player.muted = side !== list.sound;
  player.addEventListener("error", () => player.replaceWith(gone("The clip is not where the run left it, or the browser does not know its codec.")), { once: true });
  return [make("figure", {}, caption, player), player];
}
// Two players as one: they start, stop and jump together, wait for each other, and are set right when they drift apart.
function inStep(players, play, seek, time) {
  const alive = () => players.filter((player) => player && player.isConnected && player.readyState > 0);
  const longest = () => alive().reduce((a, b) => (b.duration > a.duration ? b : a), alive()[0]);
  const clock = (seconds) => (Number.isFinite(seconds) ? seconds.toFixed(1) : "0.0");
  let running = false;
  const show = () => {
    const lead = longest();
    play.textContent = running ? "❚❚ Pause" : "▶ Play";
    if (!lead) return;
    seek.max = lead.duration || 0;
    if (document.activeElement !== seek || running) seek.value = lead.currentTime;
    time.textContent = `${clock(lead.currentTime)} / ${clock(lead.duration)} s`;
  };
  const jump = (seconds) => alive().forEach((player) => { player.currentTime = Math.min(seconds, player.duration || seconds); });
  const stop = () => { running = false; alive().forEach((player) => player.pause()); show(); };
  const start = () => {
    const lead = longest();
    if (!lead) return;
    if (lead.currentTime >= lead.duration - 0.05) jump(0);
    running = true;
    alive().forEach((player) => { if (!player.ended) player.play().catch(stop); });
    requestAnimationFrame(tick);
    show();
  };
  const tick = () => {
    const lead = longest();
    if (!running || !lead) return;
    if (lead.ended) return stop();
    for (const player of alive()) {
      if (player === lead || player.ended || lead.currentTime > (player.duration || 0) - 0.1) continue;
      if (Math.abs(player.currentTime - lead.currentTime) > DRIFT && !player.seeking) player.currentTime = lead.currentTime;
      if (player.paused) player.play().catch(stop);
    }
    show();
    requestAnimationFrame(tick);
  };
  for (const player of players.filter(Boolean)) {
    player.addEventListener("loadedmetadata", show);
    player.addEventListener("click", () => (running ? stop() : start()));
    player.addEventListener("waiting", () => alive().forEach((other) => { if (running && other !== player && !other.ended) other.pause(); }));
    player.addEventListener("playing", () => alive().forEach((other) => { if (running && other.paused && !other.ended) other.play().catch(stop); }));
  }
  play.addEventListener("click", () => (running ? stop() : start()));
  seek.addEventListener("input", () => { jump(Number(seek.value)); show(); });
  show();
}
function soundChoice(players) {
  const buttons = ["base", "head", "off"].map((name) => make("button", { type: "button", "aria-pressed": String(list.sound === name) }, name));
  buttons.forEach((button) => button.addEventListener("click", () => {
    list.sound = button.textContent;
    buttons.forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
    ["base", "head"].forEach((side, place) => { if (players[place]) players[place].muted = side !== list.sound; });
  }));
  return make("span", { class: "choice", role: "group", "aria-label": "Sound" }, ...buttons);
}
function scoreTable(item) {
  const rows = SCORES.map((score, place) => {
    const pair = item.values[place];
    if (!pair) return null;
    const loss = lossOf(item, place);
    const both = pair[0] !== null && pair[1] !== null;
    const kind = score.direction === "target" || !both ? "" : loss > 0 ? "bad" : loss < 0 ? "good" : "";
    return make("tr", {}, make("th", { scope: "row", title: score.title }, `${score.arrow} `, make("code", {}, score.name)),
      make("td", { class: "num" }, write(score, pair[0])), make("td", { class: "num" }, write(score, pair[1])),
      make("td", { class: `num ${kind}` }, both ? make("b", {}, signedText(score, pair[1] - pair[0])) : pair[1] === null ? "lost" : "gained"));
  });
  const head = ["Score", "Base", "Head", "Head − base"].map((text, place) => make("th", { scope: "col", class: place ? "num" : null }, text));
  return make("div", { class: "scroll" }, make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows.filter(Boolean))));
}
function openItem(place) {
  list.current = place;
  const item = ITEMS[place];
  const [left, base] = video("base", item, item.base);
  const [right, head] = video("head", item, item.head);
  const play = make("button", { type: "button", class: "play" }, "▶ Play");
  const seek = make("input", { type: "range", class: "seek", min: 0, max: 1, step: 0.02, value: 0, "aria-label": "Position" });
  const time = make("span", { class: "time" }, "");
  const step = (by) => { const next = list.order[list.order.indexOf(place) + by]; if (next !== undefined) openItem(next); };
  const around = [["‹", "Previous item (K)", -1], ["›", "Next item (J)", 1]].map(([text, label, by]) => make("button", { type: "button", "aria-label": label, title: label, onclick: () => step(by) }, text));
  const controls = base || head ? make("div", { class: "controls" }, play, seek, time, make("span", { class: "dim" }, "Sound"), soundChoice([base, head])) : null;
  byId("stage").replaceChildren(
    make("h3", {}, item.id, make("span", { class: "dim" }, item.set), make("span", { class: "controls" }, ...around)),
    make("div", { class: "twin" }, left, right), ...(controls ? [controls] : []),
    make("p", { class: "prompt" }, item.prompt || make("span", { class: "dim" }, "no prompt")), scoreTable(item));
  if (controls) inStep([base, head], play, seek, time);
  for (const button of document.querySelectorAll("#found [data-place]")) {
    if (Number(button.dataset.place) === place) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
}
function startCompare() {
  const option = (value, text) => make("option", { value }, text);
  const choices = [option("all:worst", "all scores, worst first"), option("all:best", "all scores, best first"), option("lost:", "items that lost a number")];
  SCORES.forEach((score, place) => choices.push(option(`${place}:worst`, `${score.name}, ${score.direction === "target" ? "most changed" : "worst"} first`)));
  SCORES.forEach((score, place) => { if (score.direction !== "target") choices.push(option(`${place}:best`, `${score.name}, best first`)); });
  byId("order").append(...choices);
  DATA.sets.forEach((name) => byId("pick-set").append(option(name, name)));
  ["order", "pick-set", "find"].forEach((id) => byId(id).addEventListener("input", refreshList));
  byId("tools").addEventListener("submit", (event) => event.preventDefault());
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    const by = { j: 1, k: -1 }[event.key];
    const next = list.order[list.order.indexOf(list.current) + (by ?? 0)];
    if (by && next !== undefined) openItem(next);
  });
  refreshList();
  if (list.order.length) openItem(list.order[0]);
}
startTheme();
startCompare();
