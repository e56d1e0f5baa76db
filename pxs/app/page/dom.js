// Small tools for the elements of the page.

export const $ = (id) => document.getElementById(id);

export function make(tag, facts = {}, ...children) {
  const element = Object.assign(document.createElement(tag), facts);
  element.append(...children);
  return element;
}

export const text = (value) => String(Math.round(100 * value) / 100);

export const on = (id, event, action) => $(id).addEventListener(event, action);

export function button(words, action, facts = {}) {
  const made = make("button", { type: "button", ...facts }, words);
  made.addEventListener("click", action);
  return made;
}

export function say(words, bad = false) {
  $("status").textContent = words;
  $("status").classList.toggle("bad", bad);
}

export function note(words) {
  $("note").textContent = words;
  $("note").hidden = !words;
}
