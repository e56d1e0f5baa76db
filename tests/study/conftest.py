"""A bench of flat pictures, made without a model: each method, task and intensity has a colour of its own."""

import json

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pxs.expressions import BASIC, Mix
from pxs.study.bench import ALPHAS

TASKS = 8
SCORES = "judge-a.jsonl"


def colour(method: str, task: int, step: int) -> tuple[int, int, int]:
    return (sum(map(ord, method)) * 7 % 256, 30 * task, 10 * step)


def write_method(folder, method, tasks=TASKS):
    """The edits of one method, as `pxs bench` writes them."""
    for number in range(tasks):
        task, word = folder / "edits" / method / f"task_{number}", BASIC[number % len(BASIC)]
        task.mkdir(parents=True)
        files = []
        for step, alpha in enumerate(ALPHAS):
            text = PngInfo()
            text.add_text("method", method)
            files.append(f"{Mix({word: alpha}).slug}.png")
            Image.new("RGB", (32, 32), colour(method, number, step)).save(task / files[-1], pnginfo=text)
        manifest = {"key": f"{method}-{number}", "files": files, "error": "", "provenance": {}}
        (task / "edits.json").write_text(json.dumps(manifest))


@pytest.fixture(scope="session")
def make_bench(tmp_path_factory):
    """A function that writes a bench of these methods and returns its folder."""

    def make(*methods, tasks=TASKS):
        folder = tmp_path_factory.mktemp("bench")
        for method in methods:
            write_method(folder, method, tasks)
        return folder

    return make


@pytest.fixture(scope="session")
def bench_folder(make_bench):
    """A bench of truth, source and three methods; only read it."""
    return make_bench("truth", "source", "even", "jumpy", "stranger")
