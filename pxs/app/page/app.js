// The page: sliders and buttons say what is wished for, events of the app say what is shown.

import { connect, fetched, post, save, upload, wish } from "./live.js";
import { pad, wipe } from "./pointing.js";

const $ = (id) => document.getElementById(id);
const make = (tag, facts = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), facts);
  element.append(...children);
  return element;
};
const text = (value) => String(Math.round(100 * value) / 100);

const sliders = {}; // by expression: { row, range, output }
let offers = null; // what the app said it has
let picture = null; // the last event about a picture
let mine = null; // the last file that was opened here, to open it again after the app was started again
let restoring = null; // settings of before the app was started again
let timer = 0; // until the next rough picture while a slider is dragged
let rough = false; // whether a rough picture was asked for last
let waiting = 0; // until a place in the queue is shown: most waits are too short to be read
let movePoint = () => {};
const showWipe = wipe($("frame"), $("wipe"));

// Sliders and fields

const mix = () => Object.fromEntries(
  Object.entries(sliders).map(([name, { range }]) => [name, Math.round(100 * range.value) / 100]).filter(([, value]) => value));
const settings = () => ({ mix: mix(), seed: Number($("seed").value), steps: Number($("steps").value) });

function edit(draft = false) {
  clearTimeout(timer);
  timer = 0;
  rough = draft;
  if ($("seed").reportValidity() && $("steps").reportValidity()) wish("edit", { ...settings(), draft });
}

function dragged() {
  showSliders();
  timer ||= setTimeout(() => edit(true), 100);
}

function setMix(wanted) {
  for (const [name, { range }] of Object.entries(sliders)) range.value = wanted[name] || 0;
  showSliders();
}

function showSliders() {
  for (const [name, { row, range, output }] of Object.entries(sliders)) {
    output.value = text(range.value);
    row.classList.toggle("set", range.value > 0);
    range.setAttribute("aria-valuetext", `${name} ${output.value}`);
  }
  const strong = Object.values(sliders).filter(({ range }) => range.value > 0.5).length;
  $("many").hidden = strong < 3;
  movePoint();
}

function addSlider({ name, colour }) {
  const range = make("input", { type: "range", id: `mix-${name}`, min: 0, max: offers.most.intensity, step: 0.05, value: 0 });
  const output = make("output", { value: "0", htmlFor: range.id });
  const row = make("div", { className: "slider" }, make("label", { htmlFor: range.id, textContent: name }), range, output);
  row.style.setProperty("--colour", colour);
  range.addEventListener("input", dragged);
  range.addEventListener("change", () => edit());
  range.addEventListener("pointerup", () => setTimeout(() => (rough || timer) && edit())); // back where it was: no change
  sliders[name] = { row, range, output };
  $("sliders").append(row);
}

function addPad() {
  const names = Object.keys(sliders);
  for (const [id, chosen] of [["across", "happy"], ["up", "surprised"]]) {
    $(id).append(...names.map((name) => make("option", { value: name, textContent: name, selected: name === chosen })));
    $(id).dataset.now = chosen;
    $(id).addEventListener("change", () => {
      const other = $(id === "across" ? "up" : "across");
      if (other.value === $(id).value) other.value = other.dataset.now = $(id).dataset.now;
      $(id).dataset.now = $(id).value;
      showAxes();
    });
  }
  const at = () => [sliders[$("across").value].range, sliders[$("up").value].range].map((range) => Number(range.value));
  const moved = (x, y) => {
    sliders[$("across").value].range.value = x;
    sliders[$("up").value].range.value = y;
    dragged();
  };
  movePoint = pad($("pad"), $("dot"), offers.most.intensity, 0.05, at, moved, () => edit());
  showAxes();
}

function showAxes() {
  $("axis-x").textContent = `${$("across").value} →`;
  $("axis-y").textContent = `↑ ${$("up").value}`;
  movePoint();
}

function addSamples(style) {
  $("samples").replaceChildren(...Array.from({ length: offers.samples }, (_, number) => {
    const chosen = picture?.sample?.[0] === style && picture.sample[1] === number;
    const image = make("img", { src: `sample/${style}/${number}.png`, alt: `${style} face ${number + 1}`, loading: "lazy" });
    const button = make("button", { ariaPressed: chosen }, image);
    button.addEventListener("click", () => { mine = null; note(""); wish("sample", { style, number }); });
    return button;
  }));
}

// Files

async function open(file, name = file.name) {
  if (file.size > offers.most.bytes) {
    return say(`${name} has ${text(file.size / 1e6)} MB, more than the ${text(offers.most.bytes / 1e6)} MB that are taken: make it smaller`, true);
  }
  const domain = document.querySelector("[name=domain]:checked").value;
  note("");
  say(`opening ${name} …`);
  await tried(upload(file, name, domain));
  if (!name.endsWith(".json")) mine = { file, name };
}

const tried = (promise) => promise.catch((error) => say(error.message, true));
const saved = (path) => tried(save(path).then((name) => say(`${name} is in your downloads`)));

// What is shown

function say(words, bad = false) {
  $("status").textContent = words;
  $("status").classList.toggle("bad", bad);
}

function note(words) {
  $("note").textContent = words;
  $("note").hidden = !words;
}

function busy(on, of = 0) {
  $("progress").classList.toggle("on", on);
  $("progress").max = of || 1;
  if (!of) $("progress").value = 0;
  $("cancel").disabled = !on;
}

function showPicture(event) {
  picture = event;
  $("frame").style.setProperty("--aspect", event.width / event.height);
  $("before").src = $("after").src = event.image;
  $("before").alt = `the source, ${event.name}`;
  $("after").alt = "the picture before any edit";
  document.querySelector(`[name=domain][value=${event.domain}]`).checked = true;
  addSamples(event.sample ? event.sample[0] : event.domain);
  $("remarks").replaceChildren($("many"), ...event.remarks.map((words) => make("li", { textContent: words })));
  showFaces(event);
}

function showFaces({ faces, face, boxed }) {
  const pick = (number) => () => wish("face", { face: number });
  $("faces").replaceChildren(...faces.map(([left, top, right, bottom], number) => {
    const box = make("button", { textContent: number + 1, title: `edit face ${number + 1} alone`, ariaPressed: number === face });
    Object.assign(box.style, { left: `${100 * left}%`, top: `${100 * top}%`, width: `${100 * (right - left)}%`, height: `${100 * (bottom - top)}%` });
    box.addEventListener("click", pick(number));
    return box;
  }));
  $("faces").hidden = faces.length < 2 || !boxed;
  $("choose").hidden = !faces.length;
  $("choose").replaceChildren(...[["Whole picture", null], ...faces.map((_, i) => [`Face ${i + 1} alone`, i])].map(([words, number]) => {
    const button = make("button", { textContent: words, ariaPressed: number === face });
    button.addEventListener("click", pick(number));
    return button;
  }));
}

function showKept(kept) {
  $("kept").replaceChildren(...kept.map(({ name, label, image }) => {
    const path = `kept/${encodeURIComponent(name)}`;
    const again = make("button", { className: "again", title: "set the sliders to this picture" },
      make("img", { src: image, alt: `kept: ${label}` }));
    const down = make("button", { textContent: "Save", ariaLabel: `save ${label}` });
    const away = make("button", { textContent: "Remove", ariaLabel: `remove ${label}` });
    again.addEventListener("click", async () => tried(fetched(path).then((a) => a.blob()).then((blob) => open(blob, name))));
    down.addEventListener("click", () => saved(path));
    away.addEventListener("click", () => wish("remove", { name }));
    return make("li", {}, again, make("span", { textContent: label }), make("div", { className: "small" }, down, away));
  }));
  $("empty").hidden = kept.length > 0;
  $("zip").disabled = !kept.length;
  $("gif").disabled = $("webp").disabled = kept.length < 2;
}

const shown = {
  hello(event) {
    $("banner").hidden = true;
    if (!event.known && offers) restoring = { settings: settings(), sample: picture?.sample, mine };
    const first = !offers;
    offers = event;
    if (!first) return;
    $("model").textContent = `model ${event.model}`;
    event.expressions.forEach(addSlider);
    $("seed").max = event.most.seed;
    $("steps").max = event.most.steps;
    $("presets").append(...event.presets.map(({ name, mix: wanted }) => {
      const button = make("button", { textContent: name, title: Object.entries(wanted).map(([n, v]) => `${n} ${v}`).join(" + ") });
      button.addEventListener("click", () => { setMix(wanted); edit(); });
      return button;
    }));
    addPad();
    addSamples("human");
  },
  settings({ mix: wanted, seed, steps }) {
    if (restoring) return;
    $("seed").value = seed;
    $("steps").value = steps;
    setMix(wanted);
  },
  async kept({ kept }) {
    showKept(kept);
    if (!restoring) return;
    const before = restoring;
    restoring = null;
    shown.settings(before.settings);
    if (before.mine) await open(before.mine.file, before.mine.name);
    else if (before.sample) wish("sample", { style: before.sample[0], number: before.sample[1] });
    edit();
    note("The app was started again. Your picture and sliders are back; pictures that were kept before are gone.");
  },
  opening({ name }) { clearTimeout(waiting); busy(true); say(`opening ${name} …`); },
  picture: showPicture,
  queue({ place }) {
    busy(true);
    clearTimeout(waiting);
    waiting = setTimeout(() => say(`waiting: place ${place} in the queue`), 150);
  },
  started({ steps, draft }) {
    clearTimeout(waiting);
    if (draft) return busy(false);
    busy(true, steps);
    $("keep").disabled = $("save").disabled = true;
    say("editing …");
  },
  step({ count, of, image }) {
    $("progress").max = of;
    $("progress").value = count;
    say(`editing: step ${count} of ${of}`);
    if (image) $("after").src = image;
  },
  draft({ image }) { $("after").src = image; },
  finished(event) {
    clearTimeout(waiting);
    busy(false);
    $("keep").disabled = $("save").disabled = false;
    $("after").src = event.image;
    $("after").alt = `the picture with ${event.mix}`;
    $("python").textContent = event.python;
    $("command").textContent = event.command;
    say(`${event.mix} · seed ${event.seed} · ${event.steps} steps`);
  },
  failed({ message }) { clearTimeout(waiting); busy(false); say(message, true); },
  say({ text: words }) { note(words); },
  full({ message }) { lost(message); },
};

function lost(words) {
  busy(false);
  $("banner").textContent = words;
  $("banner").hidden = false;
}

// Buttons

$("reset").addEventListener("click", () => { setMix({}); edit(); });
$("seed").addEventListener("change", () => edit());
$("steps").addEventListener("change", () => edit());
$("keep").addEventListener("click", () => tried(post("keep")));
$("save").addEventListener("click", () => saved("edit.png"));
$("cancel").addEventListener("click", () => { busy(false); say("cancelled"); wish("cancel"); });
$("preset").addEventListener("click", () => saved("preset.json"));
for (const id of ["zip", "gif", "webp"]) $(id).addEventListener("click", () => saved(`kept.${id}`));
for (const radio of document.querySelectorAll("[name=domain]")) {
  radio.addEventListener("change", () => { if (!picture?.sample) wish("domain", { domain: radio.value }); addSamples(radio.value); });
}
for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    getSelection().selectAllChildren($(button.dataset.copy));
    await navigator.clipboard?.writeText($(button.dataset.copy).textContent); // not there on a page of another machine
    button.textContent = navigator.clipboard ? "Copied" : "Press Ctrl-C";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
}
function peek(on) {
  $("peek").ariaPressed = on;
  $("frame").classList.toggle("peek", on);
}
$("peek").addEventListener("click", () => peek($("peek").ariaPressed !== "true"));

$("open").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", () => { if ($("file").files[0]) open($("file").files[0]); $("file").value = ""; });
document.addEventListener("paste", ({ clipboardData }) => {
  const file = [...clipboardData.files][0];
  if (file) open(file, file.name === "image.png" ? "pasted.png" : file.name);
});
document.addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dropping"); });
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  if (event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
});

// The camera

const camera = { stream: null };
$("camera").hidden = !navigator.mediaDevices?.getUserMedia;
$("camera").addEventListener("click", () => tried(navigator.mediaDevices.getUserMedia({ video: { width: 1280 } }).then((stream) => {
  camera.stream = $("video").srcObject = stream;
  $("camera-box").showModal();
})));
$("shoot").addEventListener("click", () => {
  const canvas = make("canvas", { width: $("video").videoWidth, height: $("video").videoHeight });
  canvas.getContext("2d").drawImage($("video"), 0, 0);
  canvas.toBlob((blob) => { $("camera-box").close(); open(blob, "camera.png"); }, "image/png");
});
$("camera-off").addEventListener("click", () => $("camera-box").close());
$("camera-box").addEventListener("close", () => camera.stream?.getTracks().forEach((track) => track.stop()));

connect({
  event: (event) => shown[event.kind]?.(event),
  lost: (unknown) => lost(unknown
    ? "The app was started again and has another token: open the new address that pxs app printed."
    : "The app does not answer. Start it again with: pxs app. This page comes back by itself."),
});
showWipe();
