"""The order of rows: complete epochs, rows held back by the seed, and a hash of the data."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from pxs.data.ffe import Target
from pxs.data.people import person_of
from pxs.images import save_png
from pxs.training.order import data_hash, order, remaining_rows, split
from pxs.training.settings import Settings

SETTINGS = Settings(batch=1, validation=0.34)


def test_every_epoch_takes_every_row_once():
    settings = replace(SETTINGS, batch=4)
    taken = [i for step in range(30) for i in order(10, settings, step)]
    epochs = np.array(taken).reshape(12, 10)
    assert all(sorted(e) == list(range(10)) for e in epochs.tolist())
    assert not np.array_equal(epochs[0], epochs[1])
    assert order(10, settings, 7) != order(10, settings.updated({"seed": 1}), 7)


@pytest.mark.parametrize("steps", [3, 7, 20])
def test_remaining_rows_are_those_of_the_remaining_steps(steps):
    settings = replace(SETTINGS, batch=4, steps=steps)
    for first in (0, 1, steps):
        taken = {i for step in range(first, steps) for i in order(10, settings, step)}
        assert remaining_rows(10, settings, first) == sorted(taken)


def test_the_seed_selects_the_rows_to_hold_back(rows):
    training, held_back = split(rows, SETTINGS)
    assert len(held_back) == 2 and len(training) == 4
    assert {r.source for r in training}.isdisjoint(r.source for r in held_back)
    assert split(rows, SETTINGS) == (training, held_back)


def test_the_data_hash_depends_on_scores_and_pictures(rows, tmp_path):
    target = rows[0].targets[0]
    other = Target(target.image, target.category, target.scores * 0.5)
    changed = [replace(rows[0], targets=(other, rows[0].targets[1])), *rows[1:]]
    swapped = [replace(rows[0], source=rows[1].source), *rows[1:]]
    assert len({data_hash(rows), data_hash(changed), data_hash(swapped)}) == 3
    assert data_hash(rows) == data_hash(list(rows))


def copies(row, name, number, folder):
    """The row with a source of its own, which says that it shows this person."""
    file = folder / f"{name}.png"
    save_png(Image.new("RGB", (32, 32), (name % 256, 0, 0)), file, {} if number is None else {"identity": str(number)})
    return replace(row, source=file)


@pytest.mark.parametrize("numbered", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_no_person_is_on_both_sides_of_the_split(seed, numbered, rows, tmp_path):
    if numbered:
        many = [copies(rows[0], i, i // 3, tmp_path) for i in range(18)]
    else:  # six pictures, three rows each
        many = [copies(rows[0], i, None, tmp_path) for i in range(6)] * 3
    training, held_back = split(many, replace(SETTINGS, validation=0.4, seed=seed))
    people = [{person_of(r.source) for r in side} for side in (training, held_back)]
    assert people[0].isdisjoint(people[1]) and len(people[0] | people[1]) == 6
    assert len(held_back) == 9  # 0.4 of 18 are 7


def test_a_set_of_one_person_holds_nothing_back(rows, tmp_path):
    training, held_back = split([copies(rows[0], i, 7, tmp_path) for i in range(5)], SETTINGS)
    assert (len(training), held_back) == (5, [])
