"""Pictures in and out: everything between a file on disk and the pixels that a model sees.

A picture enters through `open_image`, which accepts what people really have (rotated phone photos, transparent PNGs,
CMYK scans, 16-bit greys) and returns a plain upright 8-bit sRGB image without metadata, or one clear error. `fit`
brings it to the size that a model works at, and the `Fit` it returns carries the edit back to the full-size picture.
`sheet` and `animate` show many results at once, `save_png` and `read_text` keep the settings beside the pixels,
`to_array`, `from_array` and `psnr` are the bridge to numbers. Files appear whole or not at all.
"""

from pxs.images.files import animate, output_folder, read_text, save_png
from pxs.images.fitting import MAX_ASPECT, Fit, fit
from pxs.images.opening import FORMATS, MAX_PIXELS, MIN_SIDE, PathName, Source, open_image
from pxs.images.pixels import from_array, psnr, to_array
from pxs.images.sheets import sheet

__all__ = [
    "FORMATS",
    "MAX_ASPECT",
    "MAX_PIXELS",
    "MIN_SIDE",
    "Fit",
    "PathName",
    "Source",
    "animate",
    "fit",
    "from_array",
    "open_image",
    "output_folder",
    "psnr",
    "read_text",
    "save_png",
    "sheet",
    "to_array",
]
