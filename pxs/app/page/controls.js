// Sliders, pad, mixes with a name, seed and steps: what is wished for.

import { $, button, make, on, text } from "./dom.js";
import { wish } from "./live.js";
import { pad } from "./pointing.js";

const STEP = 0.05;
const ROUGH_EVERY = 100; // milliseconds between rough pictures while a slider is dragged

const sliders = {}; // by expression: { row, range, output }
let most = 1; // of a slider
let timer = 0; // until the next rough picture
let rough = false; // whether a rough picture was asked for last
let showPoint = () => {};

const mix = () => Object.fromEntries(
  Object.entries(sliders).map(([name, { range }]) => [name, Math.round(100 * range.value) / 100]).filter(([, value]) => value));

export const settings = () => ({ mix: mix(), seed: Number($("seed").value), steps: Number($("steps").value) });

export function edit(draft = false) {
  clearTimeout(timer);
  timer = 0;
  rough = draft;
  if ($("seed").reportValidity() && $("steps").reportValidity()) wish("edit", { ...settings(), draft });
}

export function set({ mix: wanted, seed, steps }) {
  if (seed !== undefined) $("seed").value = seed;
  if (steps !== undefined) $("steps").value = steps;
  for (const [name, { range }] of Object.entries(sliders)) range.value = wanted[name] || 0;
  show();
}

function show() {
  for (const [name, { row, range, output }] of Object.entries(sliders)) {
    output.value = text(range.value);
    row.classList.toggle("set", range.value > 0);
    range.style.setProperty("--fill", `${(100 * range.value) / most}%`);
    range.setAttribute("aria-valuetext", `${name} ${output.value}`);
  }
  showPoint();
}

function dragged() {
  show();
  timer ||= setTimeout(() => edit(true), ROUGH_EVERY);
}

function addSlider({ name, colour }) {
  const range = make("input", { type: "range", id: `mix-${name}`, min: 0, max: most, step: STEP, value: 0 });
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
  const names = Object.keys(sliders), axes = () => [$("across").value, $("up").value];
  const showAxes = () => {
    [$("axis-x").textContent, $("axis-y").textContent] = [`${axes()[0]} →`, `↑ ${axes()[1]}`];
    showPoint();
  };
  for (const [id, other, chosen] of [["across", "up", "happy"], ["up", "across", "surprised"]]) {
    let before = chosen;
    $(id).append(...names.map((name) => make("option", { value: name, textContent: name, selected: name === chosen })));
    on(id, "change", () => {
      if ($(other).value === $(id).value) { // the two change places
        $(other).value = before;
        $(other).dispatchEvent(new Event("change"));
      }
      before = $(id).value;
      showAxes();
    });
  }
  const ranges = () => axes().map((name) => sliders[name].range);
  showPoint = pad($("pad"), $("dot"), most, STEP, {
    at: () => ranges().map((range) => Number(range.value)),
    moved: (...values) => { ranges().forEach((range, i) => { range.value = values[i]; }); dragged(); },
    letGo: () => edit(),
    words: () => axes().map((name) => `${name} ${text(sliders[name].range.value)}`).join(", "),
  });
  showAxes();
}

export function build(offers) {
  most = offers.most.intensity;
  offers.expressions.forEach(addSlider);
  [$("seed").max, $("steps").max] = [offers.most.seed, offers.most.steps];
  $("mixes").append(...offers.mixes.map(({ name, mix: wanted }) => {
    const title = Object.entries(wanted).map(([expression, value]) => `${expression} ${value}`).join(" + ");
    return button(name, () => { set({ mix: wanted }); edit(); }, { title });
  }));
  addPad();
  show();
}

on("reset", "click", () => { set({ mix: {} }); edit(); });
on("seed", "change", () => edit());
on("steps", "change", () => edit());
