"""The style sheet of a panel, and of the picture of it that is seen where it does not live (`style`)."""

from __future__ import annotations

from pxs.expressions import COLOURS

RULES = """
.pxs-panel, .pxs-panel .widget-box { overflow: visible; }
.pxs-panel { font-variant-numeric: tabular-nums; max-width: 1120px; padding: 4px 0; }
.pxs-panel .jupyter-widgets { margin: 0; }
.pxs-panel .widget-html, .pxs-panel .widget-html-content { height: auto; line-height: 20px; }
.pxs-panel .pxs-style, .pxs-panel .pxs-names { display: none; }
.pxs-top, .pxs-controls, .pxs-controls > .widget-box, .pxs-fields { flex-flow: row wrap; gap: 12px; }
.pxs-controls { flex: 1 1 440px; align-content: flex-start; row-gap: 20px; }
.pxs-controls > .widget-box { flex: 1 1 max(200px, 50% - 6px); align-items: center; }
.pxs-controls > .pxs-half { flex-flow: column; align-items: stretch; gap: 8px; }
.pxs-picture .widget-hprogress, .pxs-picture .widget-hprogress .progress { width: auto; height: 4px; margin: 0; }
.pxs-picture .widget-image { border-radius: 4px; margin-bottom: 4px; }
.pxs-half .widget-hslider { width: auto; }
.pxs-half .widget-readout { min-width: 40px; text-align: right; }
.pxs-fields .widget-text { flex: 1 1 80px; width: auto; min-width: 0; }
.pxs-fields .widget-text input { min-width: 0; }
.pxs-fields .jupyter-button { flex: 1 1 60px; width: auto; padding: 0 4px; }
.pxs-panel .pxs-line, .pxs-panel .pxs-message { min-height: 20px; }
.pxs-panel .pxs-line { margin-top: 8px; }
.pxs-line code { user-select: all; overflow-wrap: anywhere; }
.pxs-warning p { margin: 4px 0 0; padding-left: 8px; border-left: 4px solid #E69F00; }
.pxs-message .pxs-error { color: var(--jp-error-color1, #d32f2f); }
body[data-jp-theme-light="false"] .pxs-message .pxs-error { color: #ef9a9a; }
.pxs-kept { flex-flow: row wrap; gap: 12px; }
.pxs-one { width: 112px; margin: 8px 0 0; }
.pxs-one img { display: block; max-width: 100%; border-radius: 4px; }
.pxs-one figure { margin: 0; }
.pxs-one figcaption { font-size: 12px; line-height: 16px; margin-top: 4px; }
.pxs-one .widget-hbox { gap: 4px; }
.pxs-one .jupyter-button { flex: 1 1 50px; width: auto; padding: 0 2px; font-size: 12px; }
.pxs-panel.jupyter-widgets-disconnected { display: none; }
"""


def style(panel: str) -> str:
    """The style sheet as HTML. panel: class of one panel; while it lives its picture, of class {panel}-still, hides."""
    colours = (f".pxs-{name} .noUi-handle {{ background: {colour} !important; }}" for name, colour in COLOURS.items())
    still = f"body:has(.{panel}:not(.jupyter-widgets-disconnected)) .{panel}-still {{ display: none; }}"
    return f"<style>{RULES}{''.join(colours)}{still}</style>"
