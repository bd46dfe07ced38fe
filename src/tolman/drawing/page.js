"use strict";
// One canvas, written point by point: the same pixels in every browser, without WebGL, and fast enough for 200,000 points.
// Text of documents goes into the page as text (textContent) and never as HTML.
const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);
const canvas = $("map"), context = canvas.getContext("2d", { alpha: false });
const GRID = 65535, SHOWN_HITS = 100, SHOWN_LABELS = 60;
const HIDDEN = 0, PALE = 1, SHOWN = 2;

function unpack(text, Kind) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Kind(bytes.buffer);
}
const xs = unpack(data.x, Uint16Array), ys = unpack(data.y, Uint16Array), kept = unpack(data.kept, Uint8Array);
const count = xs.length, indices = data.colorings.map((coloring) => unpack(coloring.index, Uint8Array));
const state = new Uint8Array(count).fill(SHOWN);
const MANY = 40000;  // points that are drawn with hard edges while the map moves

// ---- the view: what stands in the middle, and how many pixels a unit is

const view = { x: GRID / 2, y: GRID / 2, scale: 1 };
let width = 0, height = 0, home = 1, selected = -1, hovered = -1, moving = 0, frame = 0, coloring = 0, hits = null;
const hiddenGroups = data.colorings.map(() => new Set());

function toScreen(i) {
  return [(xs[i] - view.x) * view.scale + width / 2, (view.y - ys[i]) * view.scale + height / 2];
}
const narrow = () => width <= 640;
function margins() {  // what the panels leave free
  return !narrow() ? { left: 352, right: width > 1000 ? 248 : 24, top: 24, bottom: 24 } : { left: 16, right: 16, top: 112, bottom: selected < 0 ? 72 : 300 };
}
function showAll() {
  let x0 = GRID, x1 = 0, y0 = GRID, y1 = 0;
  for (let i = 0; i < count; i++) {
    x0 = Math.min(x0, xs[i]); x1 = Math.max(x1, xs[i]); y0 = Math.min(y0, ys[i]); y1 = Math.max(y1, ys[i]);
  }
  const m = margins(), free = { w: Math.max(80, width - m.left - m.right), h: Math.max(80, height - m.top - m.bottom) };
  home = view.scale = 0.97 * Math.min(free.w / Math.max(1, x1 - x0), free.h / Math.max(1, y1 - y0));
  view.x = (x0 + x1) / 2 - (m.left - m.right) / 2 / view.scale;
  view.y = (y0 + y1) / 2 + (m.top - m.bottom) / 2 / view.scale;
  redraw();
}
function zoom(factor, x = width / 2, y = height / 2) {
  const scale = Math.min(home * 400, Math.max(home * 0.5, view.scale * factor));
  view.x += (x - width / 2) * (1 / view.scale - 1 / scale);
  view.y -= (y - height / 2) * (1 / view.scale - 1 / scale);
  view.scale = scale;
  moved();
}
function pan(dx, dy) { view.x -= dx / view.scale; view.y += dy / view.scale; moved(); }
function moved() {  // coarse while it moves, sharp when it rests
  clearTimeout(moving);
  moving = setTimeout(() => { moving = 0; redraw(); }, 140);
  redraw();
}
function flyTo(i) {
  const target = { x: xs[i], y: ys[i], scale: Math.max(view.scale, home * 5) }, from = { ...view }, began = performance.now();
  const m = margins(), aside = (m.left - m.right) / 2, above = (m.top - m.bottom) / 2;
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return arrive(1);
  function arrive(share) {
    const s = share * share * (3 - 2 * share);
    view.scale = from.scale * (target.scale / from.scale) ** s;
    view.x = from.x + (target.x - aside / target.scale - from.x) * s;
    view.y = from.y + (target.y + above / target.scale - from.y) * s;
    moved();
  }
  (function step(now) {
    const share = Math.min(1, Math.max(0, now - began) / 420);
    arrive(share);
    if (share < 1) requestAnimationFrame(step);
  })(began);
}

// ---- drawing

let pixels = null, image = null, ratio = 1;
const theme = () => document.documentElement.dataset.theme;
const packed = (color) => {
  const value = parseInt(color.slice(1), 16);
  return 0xff000000 | ((value & 255) << 16) | (value & 0xff00) | (value >> 16);
};
const mixed = (one, other, share) => {
  const part = (shift) => Math.round(((one >> shift) & 255) * (1 - share) + ((other >> shift) & 255) * share) << shift;
  return 0xff000000 | part(0) | part(8) | part(16);
};
function colorsOf(number) {
  const look = data.themes[theme()], one = data.colorings[number];
  if (!one.groups.length) return look.ramp;
  return one.groups.map((_, i) => (i === one.rest ? look.other : look.groups[i]));
}
function redraw() { if (width && !frame) frame = requestAnimationFrame(() => { frame = 0; draw(); }); }
function radius() {
  const usual = 0.5 * Math.sqrt((width * height) / Math.max(60, count));
  return Math.min(9, Math.max(1.15, Math.min(3.6, usual * 0.42)) * Math.max(1, view.scale / home) ** 0.42);
}
function stamp(r) {  // pixels of a soft disc: offsets and how much of each it covers
  const reach = Math.ceil(r + 0.5), out = [];
  for (let dy = -reach; dy <= reach; dy++) for (let dx = -reach; dx <= reach; dx++) {
    const cover = Math.min(1, Math.max(0, r + 0.5 - Math.hypot(dx, dy)));
    if (cover > 0.04) out.push([dx, dy, Math.round(cover * 224)]);
  }
  return { reach, offsets: Int32Array.from(out, ([dx, dy]) => dy * canvas.width + dx), covers: Uint8Array.from(out, (o) => o[2]) };
}
function fit(wanted) {
  const w = Math.round(width * wanted), h = Math.round(height * wanted);
  ratio = wanted;
  if (image && canvas.width === w && canvas.height === h) return;
  canvas.width = w; canvas.height = h;
  image = context.createImageData(w, h);
  pixels = new Uint32Array(image.data.buffer);
}
function draw() {
  const dense = Math.min(2, window.devicePixelRatio || 1);
  fit(moving ? 1 : dense);
  const look = data.themes[theme()], ground = packed(look.ground);
  pixels.fill(ground);
  const colors = Uint32Array.from(colorsOf(coloring), packed), index = indices[coloring];
  const pale = colors.map((color) => mixed(color, ground, 0.82));
  const round = stamp(radius() * ratio), coarse = moving && count > MANY;
  if (hits) paint(PALE, pale, index, round, coarse);
  paint(SHOWN, colors, index, round, coarse);
  context.putImageData(image, 0, 0);
  placeMarks();
  placeLabels();
}
function paint(which, colors, index, { reach, offsets, covers }, coarse) {
  const w = canvas.width, h = canvas.height, scale = view.scale * ratio, length = offsets.length;
  const left = w / 2 - view.x * scale, top = h / 2 + view.y * scale;
  for (let i = 0; i < count; i++) {
    if (state[i] !== which) continue;
    const x = Math.round(left + xs[i] * scale), y = Math.round(top - ys[i] * scale);
    if (x < reach || y < reach || x >= w - reach || y >= h - reach) continue;
    const color = colors[index[i]], at = y * w + x, redBlue = color & 0xff00ff, green = color & 0xff00;
    if (coarse) {
      for (let o = 0; o < length; o++) if (covers[o] > 110) pixels[at + offsets[o]] = color;
      continue;
    }
    for (let o = 0; o < length; o++) {
      const p = at + offsets[o], under = pixels[p], cover = covers[o], underRB = under & 0xff00ff, underG = under & 0xff00;
      pixels[p] = 0xff000000 | ((underRB + (((redBlue - underRB) * cover) >> 8)) & 0xff00ff)
        | ((underG + (((green - underG) * cover) >> 8)) & 0xff00);
    }
  }
}
function placeMarks() {
  const ring = $("ring");
  ring.hidden = selected < 0;
  if (selected >= 0) { const [x, y] = toScreen(selected); ring.style.transform = `translate(${x}px, ${y}px)`; }
}
const labels = [...data.labels].sort((a, b) => b.weight - a.weight).map((label) => {
  const made = document.createElement("span");
  made.textContent = label.text;
  $("labels").append(made);
  return { ...label, made, w: 0, h: 0 };
});
function placeLabels() {  // the weightiest first; none over another
  const taken = [];
  let shown = 0;
  for (const label of labels) {
    if (!label.w) { label.w = label.made.offsetWidth; label.h = label.made.offsetHeight; }
    const x = (label.x - view.x) * view.scale + width / 2, y = (view.y - label.y) * view.scale + height / 2;
    const box = [x - label.w / 2 - 6, y - label.h / 2 - 4, x + label.w / 2 + 6, y + label.h / 2 + 4];
    const free = shown < SHOWN_LABELS && x > 0 && y > 0 && x < width && y < height
      && taken.every((t) => box[2] < t[0] || box[0] > t[2] || box[3] < t[1] || box[1] > t[3]);
    label.made.style.visibility = free ? "visible" : "hidden";
    if (!free) continue;
    label.made.style.transform = `translate(${x - label.w / 2}px, ${y - label.h / 2}px)`;
    taken.push(box); shown++;
  }
}

// ---- which points are shown

function restate() {
  const index = indices[coloring], hidden = hiddenGroups[coloring];
  for (let i = 0; i < count; i++) state[i] = hidden.has(index[i]) ? HIDDEN : hits && !hits[i] ? PALE : SHOWN;
  redraw();
}
let lowered = null;
function search() {
  const query = $("query").value.trim().toLowerCase();
  $("hits").replaceChildren();
  if (!query) { hits = null; $("found").textContent = ""; return restate(); }
  lowered ??= data.titles.map((title) => title.toLowerCase());
  hits = new Uint8Array(count);
  const found = [];
  for (let i = 0; i < count; i++) if (lowered[i].includes(query)) { hits[i] = 1; found.push(i); }
  found.sort((a, b) => lowered[a].indexOf(query) - lowered[b].indexOf(query) || (lowered[a] < lowered[b] ? -1 : 1));
  const told = found.length === 1 ? "1 title" : `${found.length.toLocaleString("en")} titles`;
  $("found").textContent = found.length ? `${told}${found.length > SHOWN_HITS ? `, the first ${SHOWN_HITS} listed` : ""}` : "No title holds this";
  $("hits").append(...found.slice(0, SHOWN_HITS).map((i) => {
    const item = document.createElement("li"), button = document.createElement("button");
    button.type = "button";
    button.textContent = data.titles[i] || "(no text)";
    button.addEventListener("click", () => { if (narrow()) $("hits").replaceChildren(); select(i); flyTo(i); });
    item.append(button);
    return item;
  }));
  restate();
}

// ---- one document

function nearest(x, y, within) {
  const gx = (x - width / 2) / view.scale + view.x, gy = view.y - (y - height / 2) / view.scale;
  let best = -1, least = (within / view.scale) ** 2;
  for (let i = 0; i < count; i++) {
    const dx = xs[i] - gx, dy = ys[i] - gy, far = dx * dx + dy * dy;
    if (far < least && state[i] === SHOWN) { least = far; best = i; }
  }
  return best;
}
const groupOf = (number, i) => data.colorings[number].groups[indices[number][i]];
const trustOf = (i) => `${kept[i]} of its ${data.neighbours} nearest are near it here`;
function select(i) {
  selected = i;
  $("card").hidden = i < 0;
  if (i >= 0) {
    $("title").textContent = data.titles[i] || "(no text)";
    $("snippet").textContent = data.snippets[i];
    const facts = data.colorings.map((one, number) => [one.name, one.groups.length ? groupOf(number, i) : null]);
    const told = [...facts.filter(([, value]) => value !== null), ["trust", trustOf(i)]];
    $("facts").replaceChildren(...told.flatMap(([name, value]) => {
      const term = document.createElement("dt"), about = document.createElement("dd");
      term.textContent = name; about.textContent = value;
      return [term, about];
    }));
  }
  redraw();
}
function hover(x, y) {
  hovered = nearest(x, y, Math.max(8, radius() + 4));
  const tip = $("tip");
  canvas.classList.toggle("over", hovered >= 0);
  tip.hidden = hovered < 0;
  if (hovered < 0) return;
  const small = document.createElement("small"), group = data.colorings[coloring].groups.length ? groupOf(coloring, hovered) : trustOf(hovered);
  small.textContent = group;
  tip.replaceChildren(document.createTextNode(data.titles[hovered] || "(no text)"), small);
  const left = Math.min(x + 14, width - tip.offsetWidth - 8), top = y + 18 + tip.offsetHeight > height ? y - tip.offsetHeight - 12 : y + 18;
  tip.style.transform = `translate(${Math.max(8, left)}px, ${top}px)`;
}

// ---- mouse, touch, keys

const fingers = new Map();
let dragged = 0;
canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, [event.clientX, event.clientY]);
  dragged = fingers.size > 1 ? 99 : 0;
  $("tip").hidden = true;
});
canvas.addEventListener("pointermove", (event) => {
  const before = fingers.get(event.pointerId), now = [event.clientX, event.clientY];
  if (!before) { if (event.pointerType !== "touch") hover(...now); return; }
  fingers.set(event.pointerId, now);
  dragged += Math.hypot(now[0] - before[0], now[1] - before[1]);
  if (dragged < 4) return;
  canvas.classList.add("dragging");
  const others = [...fingers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
  if (!others.length) return pan(now[0] - before[0], now[1] - before[1]);
  const [other] = others, apart = (place) => Math.max(20, Math.hypot(place[0] - other[0], place[1] - other[1]));
  zoom(apart(now) / apart(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
  pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
});
function release(event) {
  if (!fingers.delete(event.pointerId) || fingers.size) return;
  canvas.classList.remove("dragging");
  if (event.type === "pointerup" && dragged < 4) {
    const near = nearest(event.clientX, event.clientY, event.pointerType === "touch" ? 22 : Math.max(8, radius() + 4));
    select(near);
  }
}
canvas.addEventListener("pointerup", release);
canvas.addEventListener("pointercancel", release);
canvas.addEventListener("pointerleave", () => { $("tip").hidden = true; });
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  $("tip").hidden = true;
  zoom(Math.exp(-Math.max(-240, Math.min(240, event.deltaY * (event.deltaMode ? 30 : 1))) * 0.0022), event.clientX, event.clientY);
}, { passive: false });
canvas.addEventListener("dblclick", (event) => zoom(2, event.clientX, event.clientY));
const keys = {
  ArrowLeft: () => pan(80, 0), ArrowRight: () => pan(-80, 0), ArrowUp: () => pan(0, 80), ArrowDown: () => pan(0, -80),
  "+": () => zoom(1.4), "=": () => zoom(1.4), "-": () => zoom(1 / 1.4), 0: showAll,
  Enter: () => { const m = margins(); select(nearest((width + m.left - m.right) / 2, (height + m.top - m.bottom) / 2, Infinity)); },
};
canvas.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && selected >= 0) { select(-1); canvas.focus(); }
  if (event.key === "/" && document.activeElement !== $("query")) { event.preventDefault(); $("query").focus(); }
});
$("close").addEventListener("click", () => { select(-1); canvas.focus(); });
$("in").addEventListener("click", () => zoom(1.6));
$("out").addEventListener("click", () => zoom(1 / 1.6));
$("all").addEventListener("click", showAll);
$("query").addEventListener("input", search);
$("query").addEventListener("keydown", (event) => {
  const first = $("hits").querySelector("button");
  if (event.key === "Enter" && first) first.click();
});

// ---- legend

$("by").append(...data.colorings.map((one, number) => new Option(one.name, number)));
function legend() {
  const one = data.colorings[coloring], colors = colorsOf(coloring), hidden = hiddenGroups[coloring];
  $("groups").hidden = !one.groups.length;
  $("ramp").hidden = !!one.groups.length;
  $("bar").style.background = `linear-gradient(to right, ${colors.join(", ")})`;
  $("low").textContent = one.ends[0];
  $("high").textContent = one.ends[1];
  $("groups").replaceChildren(...one.groups.map((name, group) => {
    const button = document.createElement("button"), dot = document.createElement("i"), text = document.createElement("span"), size = document.createElement("b");
    button.type = "button";
    button.setAttribute("aria-pressed", String(!hidden.has(group)));
    dot.style.setProperty("--dot", colors[group]);
    text.textContent = name; text.title = name;
    size.textContent = one.counts[group].toLocaleString("en");
    button.append(dot, text, size);
    button.addEventListener("click", () => {
      hidden.has(group) ? hidden.delete(group) : hidden.add(group);
      button.setAttribute("aria-pressed", String(!hidden.has(group)));
      restate();
    });
    return button;
  }));
}
$("by").addEventListener("change", () => { coloring = Number($("by").value); legend(); restate(); });
function shine(name) { document.documentElement.dataset.theme = name; legend(); redraw(); }
const dark = matchMedia("(prefers-color-scheme: dark)");
dark.addEventListener("change", () => shine(dark.matches ? "dark" : "light"));
$("theme").addEventListener("click", () => shine(theme() === "dark" ? "light" : "dark"));

function resize() {
  const first = !width;
  width = canvas.clientWidth; height = canvas.clientHeight;
  first || view.scale === home ? showAll() : redraw();
}
if (matchMedia("(max-width: 640px)").matches) $("legend").open = false;
canvas.setAttribute("aria-label", `Map of ${count.toLocaleString("en")} documents`);
shine(dark.matches ? "dark" : "light");
new ResizeObserver(resize).observe(canvas);
