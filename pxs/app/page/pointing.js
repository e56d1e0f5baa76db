// What is moved with a finger or a mouse on a surface: the wipe between two pictures, and the pad of two expressions.

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

// Calls `moved` with the place in the element as shares of its width and height while it is pressed, `letGo` at the end.
function follow(element, moved, letGo = () => {}) {
  const place = (event) => {
    const box = element.getBoundingClientRect();
    moved(clamp((event.clientX - box.left) / box.width, 0, 1), clamp((event.clientY - box.top) / box.height, 0, 1));
  };
  element.addEventListener("pointerdown", (event) => {
    if (event.button || event.target.closest("button")) return;
    element.setPointerCapture(event.pointerId);
    place(event);
  });
  element.addEventListener("pointermove", (event) => element.hasPointerCapture(event.pointerId) && place(event));
  element.addEventListener("lostpointercapture", letGo);
}

// The wipe: `range` says which share of the source is shown, in percent from the left.
export function wipe(frame, range) {
  const show = () => {
    frame.style.setProperty("--wipe", `${range.value}%`);
    frame.dataset.wipe = range.value;
    range.style.setProperty("--fill", `${range.value}%`);
    range.setAttribute("aria-valuetext", `${range.value} percent of the source`);
  };
  range.addEventListener("input", show);
  follow(frame, (x) => { range.value = Math.round(100 * x); show(); });
  show();
}

// The pad: calls `moved(x, y)` while it is dragged, `letGo()` after; `at()` gives x and y, all from 0 to `most`. Returns
// a function that shows the point where it is; `words` says it.
export function pad(element, dot, most, step, { at, moved, letGo, words }) {
  const round = (share) => Math.round((share * most) / step) * step;
  follow(element, (x, y) => moved(round(x), round(1 - y)), letGo);
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  element.setAttribute("aria-valuemax", most);
  element.addEventListener("keydown", (event) => {
    if (!arrows[event.key]) return;
    event.preventDefault();
    moved(...at().map((value, i) => clamp(value + step * arrows[event.key][i], 0, most)));
    letGo();
  });
  return () => {
    const [x, y] = at();
    dot.style.left = `${(100 * x) / most}%`;
    dot.style.top = `${100 - (100 * y) / most}%`;
    element.setAttribute("aria-valuenow", x);
    element.setAttribute("aria-valuetext", words());
  };
}
