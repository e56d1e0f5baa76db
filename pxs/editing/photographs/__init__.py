"""Photographs: faces are found, cut out level and with a margin, edited alone, and put back.

`FaceFinder` is the protocol of what finds faces, `Landmarker` the one that comes with the extra `photos`. `Cut` is a
square around one face: it cuts the square out of the picture and puts an edit of it back. `regions` limits an edit to
a part of the face or holds the head still, `reading` reads the expression of another picture.
"""

from pxs.editing.photographs.choosing import Which, parse_face
from pxs.editing.photographs.cutting import Cut
from pxs.editing.photographs.faces import Face, FaceFinder, Faces, finder, installed
from pxs.editing.photographs.opening import check_alone, cut_faces, prepare_cut

__all__ = [
    "Cut",
    "Face",
    "FaceFinder",
    "Faces",
    "Which",
    "check_alone",
    "cut_faces",
    "finder",
    "installed",
    "parse_face",
    "prepare_cut",
]
