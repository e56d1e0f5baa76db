"""The notebook panel: sliders for the 12 expressions, and the edit that they control."""
