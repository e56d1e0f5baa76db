// Names for what a screen reader meets in a panel: ipywidgets gives sliders, pictures and buttons none of their own.
function name(panel, alternatives) {
  for (const slider of panel.querySelectorAll(".widget-hslider")) {
    const label = slider.querySelector(".widget-label")?.textContent;
    slider.querySelector(".noUi-handle")?.setAttribute("aria-label", `intensity of ${label}`);
    slider.querySelector(".widget-readout")?.setAttribute("aria-label", `intensity of ${label} as a number`);
  }
  for (const bar of panel.querySelectorAll(".widget-hprogress")) {
    bar.setAttribute("aria-label", "denoising steps");
  }
  for (const button of panel.querySelectorAll("button[title]")) {
    button.setAttribute("aria-label", `${button.textContent.trim()}: ${button.title}`);
  }
  for (const [kind, text] of Object.entries(alternatives)) {
    for (const image of panel.querySelectorAll(`img.pxs-${kind}`)) image.alt = text;
  }
}

function render({ model, el }) {
  let panel = null;
  const update = () => panel && name(panel, model.get("alternatives"));
  const watcher = new MutationObserver(update);
  const start = () => {
    panel = el.closest(".pxs-panel");
    if (panel === null) {
      waiting = setTimeout(start, 50); // not on the page yet
      return;
    }
    watcher.observe(panel, { childList: true, subtree: true });
    update();
  };
  let waiting = setTimeout(start, 0);
  model.on("change:alternatives", update);
  return () => {
    clearTimeout(waiting);
    watcher.disconnect();
  };
}

export default { render };
