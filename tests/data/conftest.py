"""The pictures of the rows that the tests read and write."""

import pytest
from ffe_rows import PICTURES

from pxs.faces.draw import draw
from pxs.faces.identity import Identity


@pytest.fixture
def folder(tmp_path):
    """A folder with three real pictures in images/."""
    (tmp_path / "images").mkdir()
    for number, name in enumerate(PICTURES):
        draw(Identity.sample(number), size=16).save(tmp_path / "images" / f"{name}.png")
    return tmp_path
