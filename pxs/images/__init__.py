"""Reading, resizing, comparing and writing pictures.

`open_image` reads a picture. It accepts rotated phone photos, transparent PNGs, CMYK scans and 16-bit greys. It returns
an upright 8-bit sRGB image without metadata, or raises one clear error. `fit` resizes a picture to the size of a model.
It also returns a `Fit`, which transfers an edit to the full-size picture. `crop_square` cuts a square around a face.
`sheet` and `animate` show many results at once. `save_png` stores settings as text inside the file, and `read_text`
reads them; `save_jpeg` stores a comment. `finished` finds what is there already. `to_array` and `from_array` convert
between images and arrays; `psnr` compares two arrays.
"""

from pxs.images.cropping import check_box, crop_square
from pxs.images.files import animate, read_text, save_jpeg, save_png
from pxs.images.fitting import MAX_ASPECT, Fit, fit
from pxs.images.opening import FORMATS, MAX_PIXELS, MIN_SIDE, Source, open_image
from pxs.images.pixels import Box, from_array, psnr, to_array
from pxs.images.saved import finished, picture_hash, saved_text
from pxs.images.sheets import sheet, wrapped_sheet
from pxs.storage.paths import PathName

__all__ = [
    "FORMATS",
    "MAX_ASPECT",
    "MAX_PIXELS",
    "MIN_SIDE",
    "Box",
    "Fit",
    "PathName",
    "Source",
    "animate",
    "check_box",
    "crop_square",
    "finished",
    "fit",
    "from_array",
    "open_image",
    "picture_hash",
    "psnr",
    "read_text",
    "save_jpeg",
    "save_png",
    "saved_text",
    "sheet",
    "to_array",
    "wrapped_sheet",
]
