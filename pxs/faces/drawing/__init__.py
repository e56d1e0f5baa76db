"""Draws the parts of a face as SVG: head, hair, eyes and brows, nose and mouth. `compose` combines them."""
