"""The parts of a drawn face as SVG: head, eyes and brows, nose and mouth, put together by `compose`."""
