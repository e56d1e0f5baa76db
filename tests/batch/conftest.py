"""Fixtures for the tests of many pictures."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from batch_stand_in import StandIn
from PIL import Image

from pxs.batch.finding import find_pictures
from pxs.batch.presets import Preset
from pxs.batch.run import Summary, edit_many
from pxs.expressions import Mix


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with six pictures of one colour each, two of them in a folder below."""
    for index in range(6):
        path = tmp_path / "photos" / ("below" if index > 3 else "") / f"face{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), (40 * index, 10, 10)).save(path)
    return tmp_path / "photos"


@pytest.fixture
def edit(tmp_path: Path) -> Callable[..., Summary]:
    """A function that edits pictures by the stand-in for a model; all mistakes of `edit_many` are raised."""

    def run(*given: Path, mix: Mix | None = None, seed: int = 1, model: str = "m", suffix: str = "png", **options):
        preset = Preset((mix or Mix(happy=1),), seed, 4)
        settings = StandIn(preset, tmp_path / "out", model, None, None, tmp_path / "log")
        pictures = find_pictures(list(map(str, given)), settings.folder)
        name = f"{preset.mixes[0].slug}.{suffix}"
        identity = {"model": model}
        return edit_many(pictures, settings, identity, lambda stem: [f"{stem}_{name}"], progress=False, **options)

    return run


@pytest.fixture
def edits(tmp_path: Path) -> Callable[[], int]:
    """A function that returns how many edits were made since it was last called."""

    def count() -> int:
        log = tmp_path / "log"
        lines = len(log.read_text().splitlines()) if log.exists() else 0
        log.unlink(missing_ok=True)
        return lines

    return count


@pytest.fixture
def records(tmp_path: Path) -> Callable[[], list[dict]]:
    """A function that reads the index of the results."""
    return lambda: [json.loads(line) for line in (tmp_path / "out" / "index.jsonl").read_text().splitlines()]
