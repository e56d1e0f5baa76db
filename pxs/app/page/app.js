// The page: events of the app say what is shown.

import { build, edit, set, settings } from "./controls.js";
import { $, note, on, say } from "./dom.js";
import { last, open, saved, setMost, tried } from "./files.js";
import { connect, post, wish } from "./live.js";
import { buildSamples, picture, showKept, showPicture, showRemarks } from "./pictures.js";
import { wipe } from "./pointing.js";

const PATIENCE = 150; // milliseconds before a place in the queue is shown: most waits are too short to be read
const STOPPED = "The app does not answer. Start it again with: pxs app. This page comes back by itself if the address is the same.";
const OTHER = "The app was started again and has another address: open the one that it printed.";
const RESTARTED = "The app was started again. Your picture and sliders are back; edits that were kept before are gone.";

let built = false;
let restoring = null; // settings of before the app was started again
let waiting = 0;

function busy(isBusy, of = 0) {
  $("progress").classList.toggle("on", isBusy);
  $("progress").max = of || 1;
  if (!of) $("progress").value = 0;
  $("cancel").hidden = !isBusy;
}

function lost(words) {
  clearTimeout(waiting);
  busy(false);
  $("banner").textContent = words;
  $("banner").hidden = false;
}

async function restore() {
  const before = restoring;
  restoring = null;
  set(before.settings);
  if (before.file) await open(before.file.file, before.file.name);
  else if (before.sample) wish("sample", { style: before.sample[0], number: before.sample[1] });
  edit();
  note(RESTARTED);
}

const shown = {
  hello(event) {
    $("banner").hidden = true;
    if (!event.known && built) restoring = { settings: settings(), sample: picture?.sample, file: last.file };
    if (built) return;
    built = true;
    $("model").textContent = `model ${event.model}`;
    setMost(event.most.bytes);
    build(event);
    buildSamples(event.samples);
  },
  settings(event) { if (!restoring) set(event); },
  async kept({ kept }) {
    showKept(kept);
    if (restoring) await restore();
  },
  opening({ name }) { clearTimeout(waiting); busy(true); say(`opening ${name} …`); },
  picture(event) { showPicture(event); showRemarks(); },
  queue({ place }) {
    busy(true);
    clearTimeout(waiting);
    waiting = setTimeout(() => say(`waiting: place ${place} in the queue`), PATIENCE);
  },
  started({ steps, draft, remarks }) {
    clearTimeout(waiting);
    showRemarks(remarks);
    if (draft) return;
    busy(true, steps);
    $("keep").disabled = $("save").disabled = true;
    say("editing …");
  },
  step({ count, of, image }) {
    clearTimeout(waiting);
    busy(true, of);
    $("progress").value = count;
    say(`editing: step ${count} of ${of}`);
    if (image) $("after").src = image;
  },
  draft({ image }) { busy(false); $("after").src = image; },
  finished(event) {
    clearTimeout(waiting);
    busy(false);
    $("keep").disabled = $("save").disabled = false;
    $("after").src = event.image;
    $("after").alt = `the picture with ${event.label}`;
    $("python").textContent = event.python;
    $("command").textContent = event.command;
    showRemarks(event.remarks);
    say(`${event.label} · seed ${event.seed} · ${event.steps} steps`);
  },
  failed({ message }) { clearTimeout(waiting); busy(false); say(message, true); },
  say({ text }) { note(text); },
  full({ message }) { lost(message); },
};

on("keep", "click", () => tried(post("keep")));
on("save", "click", () => saved("edit.png"));
on("cancel", "click", () => { busy(false); say("cancelled"); wish("cancel"); });
on("preset", "click", () => saved("preset.json"));
for (const id of ["zip", "gif", "webp"]) on(id, "click", () => saved(`kept.${id}`));
on("peek", "click", () => {
  const pressed = $("peek").ariaPressed !== "true";
  $("peek").ariaPressed = pressed;
  $("frame").classList.toggle("peek", pressed);
});
for (const copy of document.querySelectorAll("[data-copy]")) {
  copy.addEventListener("click", async () => {
    getSelection().selectAllChildren($(copy.dataset.copy));
    await navigator.clipboard?.writeText($(copy.dataset.copy).textContent); // not there on a page of another machine
    copy.textContent = navigator.clipboard ? "Copied" : "Press Ctrl-C";
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  });
}

wipe($("frame"), $("wipe"));
connect({ event: (event) => shown[event.kind]?.(event), lost: (unknown) => lost(unknown ? OTHER : STOPPED) });
