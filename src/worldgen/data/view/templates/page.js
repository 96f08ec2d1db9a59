"use strict";
const cards = [...document.querySelectorAll("article")];
const colours = JSON.parse(document.getElementById("colours").textContent);
const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
const SVG = "http://www.w3.org/2000/svg";
const TAG_LETTER_PX = 7, TAG_HEIGHT_PX = 12;
const TAG_SHARE = 0.35; // objects smaller than this share of their tag get a box without a tag, as on sheet.png
let boxesShown = false;

function element(name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

function drawBoxes(card, frame) {
  const layer = card.querySelector(".boxes");
  if (!layer || (layer.dataset.frame === String(frame) && boxesShown)) return;
  layer.replaceChildren();
  layer.dataset.frame = frame;
  if (!boxesShown) return;
  const scale = layer.viewBox.baseVal.width / (layer.clientWidth || 1);
  const width = layer.viewBox.baseVal.width, taken = [];
  const nearFirst = (card.labels[frame] || []).slice().sort((one, two) => two[5] - one[5]);
  for (const [name, track, x0, y0, x1, y1, ignored] of nearFirst) {
    const colour = ignored ? "#aab0b8" : colours[name];
    const box = element("rect", { x: x0, y: y0, width: x1 - x0, height: y1 - y0, stroke: colour });
    if (ignored) box.setAttribute("stroke-dasharray", "4 3");
    layer.append(box);
    if (ignored) continue;
    const words = `${name.replace("_", " ")} ${track}`, long = words.length * TAG_LETTER_PX * scale;
    if ((x1 - x0) * (y1 - y0) < TAG_SHARE * long * TAG_HEIGHT_PX * scale) continue; // the tag would hide the object
    const x = Math.max(0, Math.min(x0, width - long)), y = Math.max(y0 - 4 * scale, 11 * scale);
    if (taken.some(([a, b, c]) => a < x + long && x < b && Math.abs(c - y) < TAG_HEIGHT_PX * scale)) continue; // tags would overlap
    taken.push([x, x + long, y]);
    const tag = element("text", { x, y, fill: colour });
    tag.style.fontSize = `${11 * scale}px`;
    tag.style.strokeWidth = `${3 * scale}px`;
    tag.textContent = words;
    layer.append(tag);
  }
}

function follow(card) {
  const video = card.querySelector("video");
  const fps = Number(card.dataset.fps), frames = Number(card.dataset.frames);
  const frame = Math.min(frames - 1, Math.floor(video.currentTime * fps + 1e-3));
  for (const now of card.querySelectorAll(".now")) {
    const width = now.ownerSVGElement.viewBox.baseVal.width;
    const x = frames > 1 ? (frame / (frames - 1)) * width : width / 2;
    now.setAttribute("x1", x);
    now.setAttribute("x2", x);
  }
  drawBoxes(card, frame);
}

const visible = new Set();
const observer = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const video = target.querySelector("video");
    if (isIntersecting) {
      visible.add(target);
      if (!calm && !target.paused) video.play().catch(() => {});
    } else {
      visible.delete(target);
      video.pause();
    }
  }
});

for (const card of cards) {
  const data = card.querySelector("script");
  card.labels = data ? JSON.parse(data.textContent) : [];
  card.paused = false;
  const film = card.querySelector(".film");
  const toggle = () => {
    const video = card.querySelector("video");
    card.paused = !video.paused;
    card.paused ? video.pause() : video.play().catch(() => {});
  };
  film.addEventListener("click", toggle);
  film.addEventListener("keydown", (event) => {
    if (event.key === " " || event.key === "Enter") { event.preventDefault(); toggle(); }
  });
  observer.observe(card);
}

function tick() {
  for (const card of visible) follow(card);
  requestAnimationFrame(tick);
}
requestAnimationFrame(tick);

const search = document.getElementById("search"), split = document.getElementById("split"), count = document.getElementById("count");
function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const card of cards) {
    const fits = (!split.value || card.dataset.split === split.value) && words.every((word) => card.dataset.words.includes(word));
    card.hidden = !fits;
    shown += fits;
  }
  count.textContent = `${shown} of ${cards.length} shown`;
}
search.addEventListener("input", filter);
split.addEventListener("change", filter);
filter();

const boxes = document.getElementById("boxes");
if (boxes) {
  const set = (on) => {
    boxesShown = on;
    boxes.setAttribute("aria-pressed", on);
    for (const layer of document.querySelectorAll(".boxes")) { layer.dataset.frame = ""; layer.replaceChildren(); }
  };
  boxes.addEventListener("click", () => set(!boxesShown));
  set(true);
}
document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});
