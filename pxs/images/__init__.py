"""Reading, resizing, comparing and writing pictures.

`open_image` reads a picture. It accepts rotated phone photos, transparent PNGs, CMYK scans, 16-bit greys and stated
colour spaces. It returns an upright 8-bit sRGB image without metadata, or raises one clear error. `open_picture` also
returns what a result should keep: opacity, ICC profile, EXIF data. `fit` resizes a picture to the size of a model. It
also returns a `Fit`, which transfers an edit to the full-size picture. `crop_square` cuts a square around a face.
`sheet` and `animate` show many results at once; `Figure` shows one in a notebook, with its alternative text.
`save_picture` writes a result as PNG, WebP or JPEG, with settings as text inside the file, and `read_text` reads them;
`finished` finds what is there already. `to_array` and `from_array` convert between images and arrays; `psnr` compares
two arrays.
"""

from pxs.images.cropping import check_box, crop_square
from pxs.images.files import FORMAT_SUFFIXES, animate, read_text, save_picture, save_png
from pxs.images.fitting import MAX_ASPECT, Fit, fit
from pxs.images.opening import FORMATS, MAX_PIXELS, MIN_SIDE, SUFFIXES, Source, open_image, open_picture, upright_size
from pxs.images.picture import Picture
from pxs.images.pixels import Box, from_array, psnr, to_array
from pxs.images.saved import finished, picture_hash, saved_text
from pxs.images.sheets import sheet, wrapped_sheet
from pxs.images.showing import Figure
from pxs.storage.paths import PathName

__all__ = [
    "FORMATS",
    "FORMAT_SUFFIXES",
    "MAX_ASPECT",
    "MAX_PIXELS",
    "MIN_SIDE",
    "SUFFIXES",
    "Box",
    "Figure",
    "Fit",
    "PathName",
    "Picture",
    "Source",
    "animate",
    "check_box",
    "crop_square",
    "finished",
    "fit",
    "from_array",
    "open_image",
    "open_picture",
    "picture_hash",
    "psnr",
    "read_text",
    "save_picture",
    "save_png",
    "saved_text",
    "sheet",
    "to_array",
    "upright_size",
    "wrapped_sheet",
]
