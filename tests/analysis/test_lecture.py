"""What notebooks show and write: faces of one size in rows that fit the page, and every parameter in results.json."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from analysis.lecture import ACROSS, SIDE, faces, plain, write_results, write_tables
from analysis.training import drawn_table, training_folder
from pxs.errors import ImageError, OutputError
from pxs.images import open_image
from pxs.training.settings import Settings


def shown(figure, folder):
    (folder / "page.png").write_bytes(figure._repr_png_())
    return open_image(folder / "page.png")


def colours(count, side=32):
    return [Image.new("RGB", (side, side), (40 * i + 20, 0, 0)) for i in range(count)]


def test_long_rows_continue_below_at_the_size_for_a_lecture_room(tmp_path):
    count = ACROSS + 2
    page = shown(faces([colours(count)], "six colours", file=tmp_path / "row.png"), tmp_path)
    assert page.width < (ACROSS + 1) * SIDE and page.height > 2 * SIDE
    pixels = np.asarray(page)[..., 0]
    red = np.asarray(page)[..., 1] == 0
    areas = [int(((pixels == 40 * i + 20) & red).sum()) for i in range(count)]
    assert areas == [SIDE * SIDE] * count
    with Image.open(tmp_path / "row.png") as row:
        assert row.width > count * 32 and row.height < 2 * 32


def test_labels_and_pictures_must_be_equally_many():
    with pytest.raises(ImageError, match="labels"):
        faces([colours(2)], "two", row_labels=["one", "two"])


def test_results_hold_every_parameter_and_tables_as_records(tmp_path):
    namespace = {"__annotations__": {"seed": int, "scales": list, "gone": str}, "seed": 3, "scales": [0, 1], "other": 1}
    table = pd.DataFrame({"name": ["a", "b"], "value": [0.5, np.nan]})
    write_results(tmp_path, namespace, table=table, inside={"array": np.arange(2), "one": np.float32(0.5)}, none=None)
    found = json.loads((tmp_path / "results.json").read_text())
    assert found.pop("versions")["pxs"]
    assert found == {
        "parameters": {"seed": 3, "scales": [0, 1]},
        "table": [{"name": "a", "value": 0.5}, {"name": "b", "value": None}],
        "inside": {"array": [0, 1], "one": 0.5},
        "none": None,
    }
    with pytest.raises(OutputError):
        write_results(tmp_path, namespace, value=float("nan"))
    assert plain((np.int64(1), [np.bool_(True)])) == [1, [True]]
    write_tables(tmp_path, some=table)
    assert (tmp_path / "some.csv").read_text() == "name,value\na,0.5\nb,\n"


def test_trainings_with_other_rows_or_settings_do_not_meet(tmp_path):
    table = drawn_table(tmp_path, 2, 0)
    before = table.read_bytes()
    assert drawn_table(tmp_path, 2, 0) == table and table.read_bytes() == before
    other = drawn_table(tmp_path, 3, 0)
    assert len(other.read_text().splitlines()) == 3 != len(before.splitlines())
    settings = [Settings(), Settings(contrast="none"), Settings(seed=1)]
    folders = {training_folder(tmp_path, s, t) for s in settings for t in (table, other)}
    assert len(folders) == 6
    assert training_folder(tmp_path, Settings(), table) == training_folder(tmp_path, Settings(), table)
