// The two clips of a battle: plays them one at a time and measures which parts were really watched and heard.
// Tells the server when a clip is complete, when one ended, and when one cannot be played; never on a timer.

const PLAYERS = new WeakMap();
const NO_DATA_MS = 15000;
const MAX_REPORTS_AFTER_COMPLETION = 6;
const SIDES = ["left", "right"];

export default function (component) {
  const { data, parentElement, setStateValue } = component;
  let player = PLAYERS.get(parentElement);
  if (!player) {
    player = new Player(parentElement);
    PLAYERS.set(parentElement, player);
  }
  player.update(data, (watch) => setStateValue("watch", watch));
  return () => {
    player.destroy();
    PLAYERS.delete(parentElement);
  };
}

// Stretches of a clip, in seconds, kept disjoint and sorted.
export class Stretches {
  constructor() {
    this.list = [];
  }
  add(from, to) {
    if (!(to > from)) return;
    const apart = this.list.filter(([a, b]) => b < from || a > to);
    const touching = this.list.filter(([a, b]) => !(b < from || a > to));
    const merged = [Math.min(from, ...touching.map(([a]) => a)), Math.max(to, ...touching.map(([, b]) => b))];
    this.list = [...apart, merged].sort((x, y) => x[0] - y[0]);
  }
  fraction(duration) {
    const length = this.list.reduce((sum, [a, b]) => sum + (Math.min(b, duration) - Math.min(a, duration)), 0);
    return duration > 0 ? Math.min(length / duration, 1) : 0;
  }
}

class Side {
  constructor(player, root, name) {
    this.player = player;
    this.root = root;
    this.name = name;
    this.find = (selector) => root.querySelector(selector);
    this.video = this.find("video");
    this.listen();
  }

  listen() {
    const on = (event, action) => this.video.addEventListener(event, action);
    on("play", () => { this.mark(); this.player.started(this); });
    on("playing", () => this.resumed());
    on("timeupdate", () => this.sample());
    on("seeking", () => { this.last = null; });
    on("seeked", () => this.mark());
    on("ratechange", () => { if (this.video.playbackRate !== 1) this.video.playbackRate = 1; });
    on("volumechange", () => this.player.volumeChanged(this));
    on("pause", () => { this.sample(); this.last = null; this.player.paint(); });
    on("waiting", () => { this.sample(); this.last = null; this.waitingSince = performance.now(); this.expectData(); });
    on("progress", () => this.arm());
    on("loadeddata", () => { this.disarm(); this.player.fit(); });
    on("canplay", () => this.disarm());
    on("ended", () => this.ended());
    on("error", () => this.failed());
    this.find(".play").addEventListener("click", () => this.player.toggle(this));
    this.find(".again").addEventListener("click", () => this.retry());
    this.find(".give-up").addEventListener("click", () => this.player.giveUp(this, "skip"));
  }

  reset(clip, autoload) {
    this.clip = clip;
    this.seen = new Stretches();
    this.last = null;
    this.plays = 0;
    this.doneAt = null;
    this.failures = 0;
    this.waitingSince = null;
    this.find(".problem").hidden = true;
    this.video.preload = autoload ? "auto" : "none";
    this.video.muted = false;
    this.video.src = clip.url;
    if (autoload) { this.video.load(); this.expectData(); }
  }

  get duration() {
    return Number.isFinite(this.video.duration) && this.video.duration > 0 ? this.video.duration : this.clip.duration_ms / 1000;
  }
  get fraction() {
    return this.seen.fraction(this.duration);
  }
  get audible() {
    return !this.video.muted && this.video.volume > 0;
  }

  mark() {
    this.last = this.video.currentTime;
    this.lastAt = performance.now();
  }

  resumed() {
    this.disarm();
    if (this.waitingSince !== null) this.player.facts.stalled_ms += performance.now() - this.waitingSince;
    this.waitingSince = null;
    if (this.last === null) this.mark();
  }

  // Adds what was played since the last look, if it ran at normal speed and could be seen and heard.
  sample() {
    const { video } = this;
    const before = this.last;
    const passed = (performance.now() - this.lastAt) / 1000;
    if (before !== null && !video.seeking && !this.player.together && this.player.counts(this)) {
      const step = video.currentTime - before;
      if (step > 0 && step <= passed * 1.1 + 0.2) this.seen.add(before, video.currentTime);
      this.player.facts.min_volume = Math.min(this.player.facts.min_volume, this.audible ? video.volume : 0);
    }
    if (before !== null) this.mark();
    this.player.progressed(this);
  }

  ended() {
    const reached = this.seen.list.length ? this.seen.list[this.seen.list.length - 1][1] : 0;
    if (!this.player.together && this.duration - reached < 0.35) this.seen.add(reached, this.duration);
    this.last = null;
    this.player.progressed(this);
    this.player.ended(this);
  }

  expectData() {
    this.expecting = true;
    this.arm();
  }
  arm() {
    clearTimeout(this.timer);
    if (this.expecting) this.timer = setTimeout(() => this.failed(), NO_DATA_MS);
  }
  disarm() {
    this.expecting = false;
    clearTimeout(this.timer);
  }

  failed() {
    this.disarm();
    this.failures += 1;
    if (this.failures > 1) this.player.giveUp(this, "media");
    this.find(".problem").hidden = false;
    this.player.say(this.find(".problem p").textContent);
  }

  retry() {
    this.find(".problem").hidden = true;
    this.expectData();
    this.video.load();
    this.video.play().catch(() => {});
  }

  paint(texts, minimum) {
    const percent = Math.floor(100 * this.fraction + 1e-6);
    const done = this.fraction >= minimum;
    this.root.classList.toggle("done", done);
    this.find(".state").textContent = done ? `✓ ${texts.watched}` : texts.percent.replace("{n}", percent);
    this.find(".play-word").textContent = this.video.paused ? texts[`play_${this.name}`] : texts[`pause_${this.name}`];
    const track = this.find(".track");
    track.setAttribute("aria-valuenow", percent);
    const colour = done ? "var(--done)" : "var(--accent)";
    const bars = this.seen.list.map(([a, b]) => [a / this.duration, Math.min(b / this.duration, 1)]);
    track.style.backgroundImage = bars.map(() => `linear-gradient(${colour}, ${colour})`).join(",");
    track.style.backgroundSize = bars.map(([a, b]) => `${(100 * (b - a)).toFixed(2)}% 100%`).join(",");
    track.style.backgroundPosition = bars.map(([a, b]) => `${b - a < 1 ? (100 * a) / (1 - (b - a)) : 0}% 0`).join(",");
  }

  stop() {
    this.disarm();
    this.video.pause();
  }
}

class Player {
  constructor(parent) {
    this.root = parent.querySelector(".arena");
    this.find = (selector) => this.root.querySelector(selector);
    this.sides = SIDES.map((name) => new Side(this, this.find(`[data-side="${name}"]`), name));
    [this.left, this.right] = this.sides;
    this.builds = 0;
    this.off = [];
    this.listen(document, "visibilitychange", () => this.visibility());
    this.listen(document, "keydown", (event) => this.key(event), true);
    this.listen(document, "pointerdown", (event) => this.input(event.pointerType === "mouse" ? "mouse" : "touch"), true);
    this.find(".both").addEventListener("click", () => this.toggleTogether());
    this.find(".ear").addEventListener("click", () => this.listenTo(this.heard === this.left ? this.right : this.left));
    this.find(".more").addEventListener("click", () => this.toggleMore());
    this.find(".original").addEventListener("click", () => this.toggleOriginal());
    this.observer = new ResizeObserver(() => this.fit());
    this.observer.observe(this.find(".pair"));
  }

  listen(target, event, action, capture = false) {
    target.addEventListener(event, action, capture);
    this.off.push(() => target.removeEventListener(event, action, capture));
  }

  // Called on every run of the page's script; only a new battle touches the videos.
  update(data, send) {
    this.send = send;
    if (!data) return;
    const fresh = !this.data || this.data.battle !== data.battle;
    this.data = data;
    this.label();
    if (fresh) this.begin();
    this.paint();
  }

  begin() {
    const again = this.builds > 0;
    this.builds += 1;
    this.root.dataset.builds = this.builds;
    this.root.dataset.battle = this.data.battle;
    this.together = false;
    this.reports = 0;
    this.sentInput = null;
    this.facts = { first_played: null, hidden_ms: 0, stalled_ms: 0, muted: false, min_volume: 1, input: "unknown", error: null };
    const saving = Boolean(navigator.connection && navigator.connection.saveData);
    this.sides.forEach((side) => side.reset(this.data[side.name], !saving));
    this.root.hidden = false;
    this.showPrompt();
    this.fit();
    const first = this.left.find(".play");
    if (again) first.focus(); else first.focus({ preventScroll: true });
    this.say(again ? this.texts.new_pair : "");
  }

  // Stacked clips are the first and the second one, not the left and the right one.
  get texts() {
    const { texts } = this.data;
    return matchMedia("(max-width: 640px)").matches ? { ...texts, ...texts.narrow } : texts;
  }

  label() {
    const { texts } = this;
    const { shortcuts } = this.data;
    this.find(".pair").setAttribute("aria-label", texts.pair);
    this.sides.forEach((side, index) => {
      side.find(".name").textContent = texts[side.name];
      side.root.setAttribute("aria-label", texts[side.name]);
      side.video.setAttribute("aria-label", texts[side.name]);
      side.find(".track").setAttribute("aria-label", texts[`track_${side.name}`]);
      side.find("kbd").textContent = "QW"[index];
      side.find("kbd").hidden = !shortcuts;
      side.find(".problem p").textContent = texts.problem;
      side.find(".again").textContent = texts.try_again;
      side.find(".give-up").textContent = texts.skip_broken;
    });
    this.find(".prompt-label").textContent = texts.prompt;
  }

  // Text of other people goes in as text, never as markup.
  showPrompt() {
    const { prompt } = this.data;
    const { texts } = this;
    const box = this.find(".prompt");
    box.hidden = !prompt;
    if (!prompt) return;
    const frame = this.find(".frame");
    frame.hidden = !prompt.first_frame;
    if (prompt.first_frame) { frame.src = prompt.first_frame; frame.alt = texts.first_frame; }
    frame.onerror = () => { frame.hidden = true; };
    this.original = false;
    this.find(".original").hidden = !prompt.original;
    this.find(".prompt-text").classList.add("short");
    this.writePrompt();
  }
  writePrompt() {
    const { prompt } = this.data;
    const { texts } = this;
    const text = this.find(".prompt-text");
    text.textContent = this.original ? prompt.original : prompt.text;
    text.lang = this.original ? prompt.original_language : prompt.language;
    this.find(".original").textContent = this.original ? texts.show_translation : texts.show_original;
    const short = text.classList.contains("short");
    const more = this.find(".more");
    more.textContent = short ? texts.show_all : texts.show_less;
    more.setAttribute("aria-expanded", String(!short));
    more.hidden = short && text.scrollHeight <= text.clientHeight + 1;
  }
  toggleMore() {
    this.find(".prompt-text").classList.toggle("short");
    this.writePrompt();
  }
  toggleOriginal() {
    this.original = !this.original;
    this.writePrompt();
  }

  // One box for both; a picture is not drawn larger than it is unless the other one is, too.
  fit() {
    if (!this.data) return;
    const shapes = this.sides.map((side) => [side.clip.width || 16, side.clip.height || 9]);
    const ratio = Math.max(...shapes.map(([w, h]) => w / h));
    this.root.style.setProperty("--ratio", ratio.toFixed(4));
    const box = this.left.find(".box").getBoundingClientRect();
    if (!box.width) return;
    const scales = shapes.map(([w, h]) => Math.min(box.width / w, box.height / h));
    const capped = Math.min(...scales) <= 1;
    this.sides.forEach((side, index) => {
      const [w, h] = shapes[index];
      side.video.style.setProperty("--cap-w", capped ? `${w}px` : "100%");
      side.video.style.setProperty("--cap-h", capped ? `${h}px` : "100%");
    });
    this.label();
    this.paint();
    if (this.data.prompt) this.writePrompt();
  }

  counts(side) {
    const heard = side.audible || this.data.can_hear === false;
    return heard && side.video.playbackRate === 1 && document.visibilityState === "visible";
  }

  toggle(side) {
    if (this.together) this.endTogether();
    if (side.video.paused) {
      if (side.video.readyState === 0) side.expectData();
      side.video.play().catch(() => {});
    } else side.video.pause();
  }

  started(side) {
    if (this.together) return;
    this.sides.filter((other) => other !== side).forEach((other) => other.video.pause());
    if (side.video.currentTime < 0.5) side.plays += 1;
    if (!this.facts.first_played) this.facts.first_played = side.name;
    this.volumeChanged(side);
    this.paint();
  }

  volumeChanged(side) {
    if (this.together || side.video.paused) return;
    if (!side.audible) {
      this.facts.muted = true;
      if (this.data.can_hear !== false) this.say(this.texts.muted);
    } else if (this.find(".live").textContent === this.texts.muted) this.say("");
  }

  progressed(side) {
    this.paint();
    if (side.doneAt === null && side.fraction >= this.data.min_watch) {
      side.doneAt = Math.round(performance.now());
      this.report();
      const other = this.sides.find((one) => one.doneAt === null);
      this.say(other ? this.texts[`now_${other.name}`] : this.texts.both_watched);
    }
  }

  ended(side) {
    if (this.together) {
      if (this.sides.every((one) => one.video.ended || one.video.paused)) this.playTogether();
      return;
    }
    if (side.fraction < this.data.min_watch) {
      const unheard = !side.audible && this.data.can_hear !== false;
      this.say(unheard ? this.texts.muted : this.texts.gaps);
    }
    if (this.reports < MAX_REPORTS_AFTER_COMPLETION) {
      this.reports += 1;
      this.report();
    }
  }

  visibility() {
    if (!this.data) return;
    if (document.visibilityState === "hidden") {
      this.hiddenSince = this.sides.some((side) => !side.video.paused) ? performance.now() : null;
      this.sides.forEach((side) => side.video.pause());
    } else if (this.hiddenSince) {
      this.facts.hidden_ms += performance.now() - this.hiddenSince;
      this.hiddenSince = null;
    }
  }

  key(event) {
    if (!this.data || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = event.composedPath()[0];
    if (at instanceof HTMLElement && at.closest("input, textarea, select, [contenteditable=true]")) return;
    if (["1", "2", "3", "4", "Enter", " "].includes(event.key)) this.input("keyboard");
    if (!this.data.shortcuts || event.repeat) return;
    const side = this.sides["qw".indexOf(event.key.toLowerCase())];
    if (side && event.key.length === 1) {
      event.preventDefault();
      this.toggle(side);
    }
  }

  // How the answer is given, reported only when it is about to be given in another way than last known.
  input(kind) {
    if (!this.data) return;
    this.facts.input = kind;
    const complete = this.sides.every((side) => side.doneAt !== null);
    if (complete && this.sentInput !== kind) this.report();
  }

  report() {
    const { left, right, facts } = this;
    this.sentInput = facts.input;
    this.send({
      battle: this.data.battle,
      watched_left: round(left.fraction), watched_right: round(right.fraction),
      plays_left: left.plays, plays_right: right.plays,
      first_played: facts.first_played,
      done_left_ms: left.doneAt, done_right_ms: right.doneAt,
      hidden_ms: Math.round(facts.hidden_ms), stalled_ms: Math.round(facts.stalled_ms),
      muted: facts.muted, min_volume: round(facts.min_volume),
      viewport: [window.innerWidth, window.innerHeight],
      fullscreen: Boolean(document.fullscreenElement),
      input: facts.input, error: facts.error,
    });
  }

  giveUp(side, cause) {
    if (this.facts.error) return;
    this.facts.error = { side: side.name, cause, code: side.video.error ? side.video.error.code : 0 };
    this.report();
  }

  toggleTogether() {
    if (this.together) this.endTogether(); else this.playTogether();
  }
  playTogether() {
    this.sides.forEach((side) => { side.last = null; side.video.pause(); side.video.currentTime = 0; });
    this.together = true;
    this.listenTo(this.heard || this.left);
    Promise.all(this.sides.map((side) => seeked(side.video))).then(() => {
      if (this.together) this.sides.forEach((side) => side.video.play().catch(() => {}));
    });
    this.paint();
  }
  listenTo(side) {
    this.heard = side;
    this.sides.forEach((one) => { one.video.muted = one !== side; });
    this.paint();
  }
  endTogether() {
    this.together = false;
    this.sides.forEach((side) => { side.video.pause(); side.video.muted = false; });
    this.paint();
  }

  paint() {
    if (!this.data) return;
    const { texts } = this;
    const { min_watch } = this.data;
    this.sides.forEach((side) => side.paint(texts, min_watch));
    this.find(".together").hidden = !this.sides.every((side) => side.doneAt !== null);
    const both = this.find(".both");
    both.setAttribute("aria-pressed", String(Boolean(this.together)));
    both.textContent = this.together ? texts.stop_both : texts.play_both;
    const ear = this.find(".ear");
    ear.hidden = !this.together;
    if (this.heard) ear.textContent = `${texts.sound_of} ${texts[this.heard.name]}`;
  }

  say(text) {
    this.find(".live").textContent = text;
  }

  destroy() {
    this.observer.disconnect();
    this.off.forEach((stop) => stop());
    this.sides.forEach((side) => { side.stop(); side.video.removeAttribute("src"); side.video.load(); });
  }
}

function round(number) {
  return Math.round(number * 10000) / 10000;
}

function seeked(video) {
  if (!video.seeking) return Promise.resolve();
  return new Promise((done) => video.addEventListener("seeked", done, { once: true }));
}
