"""The panel of sliders for notebooks."""
