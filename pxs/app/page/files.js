// Files: pictures and presets come in by button, drop, paste and camera; edits are saved.

import { $, make, note, on, say, text } from "./dom.js";
import { save, upload } from "./live.js";

export const last = { file: null }; // the file that was opened last, to open it again after the app was started again
let most = Infinity; // bytes

export const setMost = (bytes) => { most = bytes; };
export const tried = (promise) => promise.catch((error) => say(error.message, true));
export const saved = (path) => tried(save(path).then((name) => say(`${name} is in your downloads`)));

export async function open(file, name = file.name) {
  if (file.size > most) {
    say(`${name} has ${text(file.size / 1e6)} MB, and ${text(most / 1e6)} MB are the most here: make it smaller`, true);
    return;
  }
  note("");
  say(`opening ${name} …`);
  await tried(upload(file, name, $("domain").value).then(() => {
    if (!name.toLowerCase().endsWith(".json")) last.file = { file, name };
  }));
}

on("open", "click", () => $("file").click());
on("file", "change", () => {
  if ($("file").files[0]) open($("file").files[0]);
  $("file").value = "";
});
document.addEventListener("paste", ({ clipboardData }) => {
  const file = [...clipboardData.files][0];
  if (file) open(file, file.name === "image.png" ? "pasted.png" : file.name);
});
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dropping");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  if (event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
});

let stream = null;
const refused = { NotAllowedError: "The browser may not use the camera: allow it for this page.", NotFoundError: "There is no camera." };

async function look() {
  try {
    $("shoot").disabled = true;  // until there is a first picture to take
    stream = $("video").srcObject = await navigator.mediaDevices.getUserMedia({ video: { width: 1280 } });
    $("camera-box").showModal();
  } catch (error) {
    say(refused[error.name] || `The camera cannot be used: ${error.message}`, true);
  }
}

$("camera").hidden = !navigator.mediaDevices?.getUserMedia; // not there on a page of another machine
on("camera", "click", look);
on("video", "loadeddata", () => { $("shoot").disabled = false; });
on("shoot", "click", () => {
  const canvas = make("canvas", { width: $("video").videoWidth, height: $("video").videoHeight });
  canvas.getContext("2d").drawImage($("video"), 0, 0);
  canvas.toBlob((blob) => { $("camera-box").close(); open(blob, "camera.png"); }, "image/png");
});
on("camera-off", "click", () => $("camera-box").close());
on("camera-box", "close", () => stream?.getTracks().forEach((track) => track.stop()));
