// Named clips side by side; starting one pauses the others. Names go in as text, never as markup.
export default function ({ data, parentElement }) {
  const grid = parentElement.querySelector(".grid");
  const state = JSON.stringify(data);
  if (grid.dataset.state === state) return;
  grid.dataset.state = state;
  grid.replaceChildren(...data.clips.map((clip) => figure(clip, data.missing, grid)));
}

function figure(clip, missing, grid) {
  const box = make("div", "box");
  box.style.aspectRatio = clip.ratio;
  if (clip.url) box.append(video(clip, missing, grid, box)); else box.append(make("p", "gone", missing));
  const caption = make("figcaption");
  caption.append(make("div", "name", clip.name), make("div", "note", clip.note));
  const whole = make("figure");
  whole.append(box, caption);
  return whole;
}

function video(clip, missing, grid, box) {
  const element = make("video");
  element.controls = true;
  element.playsInline = true;
  element.preload = "metadata";
  element.setAttribute("aria-label", clip.name);
  element.setAttribute("controlslist", "nodownload noremoteplayback");
  element.addEventListener("play", () => {
    grid.querySelectorAll("video").forEach((other) => { if (other !== element) other.pause(); });
  });
  element.addEventListener("error", () => box.replaceChildren(make("p", "gone", missing)));
  element.src = clip.url;
  return element;
}

function make(tag, kind = "", text = "") {
  const element = document.createElement(tag);
  if (kind) element.className = kind;
  if (text) element.textContent = text;
  return element;
}
