// What is shown: the picture with its faces, the sample faces, and the kept edits.

import { $, button, make, note, on } from "./dom.js";
import { last, open, saved, tried } from "./files.js";
import { fetched, wish } from "./live.js";

const STYLES = { human: "drawn human", anime: "anime", person: "rendered person" };

export let picture = null; // the last event about a picture
let samples = { styles: [], count: 0 };
let style = "human"; // of the samples that are shown

export function buildSamples(offered) {
  samples = offered;
  showSamples();
}

function showSamples() {
  $("styles").replaceChildren(...samples.styles.map((name) =>
    button(STYLES[name] || name, () => { style = name; showSamples(); }, { ariaPressed: name === style })));
  $("samples").replaceChildren(...Array.from({ length: samples.count }, (_, number) => {
    const chosen = picture?.sample?.[0] === style && picture.sample[1] === number;
    const image = make("img", { src: `sample/${style}/${number}.png`, alt: `${STYLES[style] || style} ${number + 1}` });
    return button(image, () => choose(style, number), { ariaPressed: chosen });
  }));
}

function choose(chosen, number) {
  last.file = null;
  note("");
  wish("sample", { style: chosen, number });
}

export function showPicture(event) {
  const before = picture?.sample?.[0];
  picture = event;
  $("frame").style.setProperty("--aspect", event.width / event.height);
  $("before").src = $("after").src = event.image;
  $("before").alt = `the source, ${event.name}`;
  $("after").alt = "the picture before any edit";
  $("domain").value = event.domain;
  if (event.sample && event.sample[0] !== before) style = event.sample[0];
  showSamples();
  showFaces(event);
}

export function showRemarks(ofEdit = []) {
  $("remarks").replaceChildren(...[...(picture?.remarks || []), ...ofEdit].map((words) => make("li", {}, words)));
}

function showFaces({ faces, face, boxed }) {
  const pick = (number) => () => wish("face", { face: number });
  $("faces").hidden = faces.length < 2 || !boxed;
  $("faces").replaceChildren(...faces.map(([left, top, right, bottom], number) => {
    const box = button(String(number), pick(number), { ariaLabel: `edit face ${number} alone`, ariaPressed: number === face });
    const shares = { left, top, width: right - left, height: bottom - top };
    for (const [side, share] of Object.entries(shares)) box.style[side] = `${100 * share}%`;
    return box;
  }));
  $("choose").hidden = !faces.length;
  const choices = [["whole picture", null], ...faces.map((_, i) => [`face ${i} alone`, i])];
  $("choose").replaceChildren(...choices.map(([words, number]) => button(words, pick(number), { ariaPressed: number === face })));
}

export function showKept(kept) {
  $("kept").replaceChildren(...kept.map(({ name, label, image }) => {
    const path = `kept/${encodeURIComponent(name)}`;
    const again = () => tried(fetched(path).then((answer) => answer.blob()).then((blob) => open(blob, name)));
    return make("li", {},
      button(make("img", { src: image, alt: label }), again, { className: "again", title: "set sliders and picture to this edit" }),
      make("span", { textContent: label.replaceAll(" + ", " +\n") }),
      make("div", { className: "small" },
        button("Save", () => saved(path), { ariaLabel: `save ${label}` }),
        button("Remove", () => wish("remove", { name }), { ariaLabel: `remove ${label}` })));
  }));
  $("empty").hidden = kept.length > 0;
  $("zip").disabled = !kept.length;
  $("gif").disabled = $("webp").disabled = kept.length < 2;
}

on("domain", "change", () => { if (!picture?.sample) wish("domain", { domain: $("domain").value }); });
