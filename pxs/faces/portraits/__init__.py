"""Rendered portraits: a `Person` and a `Mix` of expressions make a picture with exact ground truth.

    person = Person.sample(7)
    render(person, Mix(happy=0.8))        # a PIL image, 256 x 256, always the same one

People are numbered like the drawn faces, so `seeds(purpose, count)` keeps people of different purposes apart.
"""

from pxs.faces.portraits.person import Person
from pxs.faces.portraits.picture import Sitter, render

__all__ = ["Person", "Sitter", "render"]
