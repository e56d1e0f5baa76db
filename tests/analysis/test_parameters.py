"""Tests of the check of a notebook's parameters."""

import json
from pathlib import Path

import pytest

from analysis.parameters import check_parameters
from pxs.errors import DataError

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
CELL = 'alphas: list = [0, 1]\nseed: int = 42\nrate: float = 2e-3\nstyle: str = "human"\nfast: bool = False\n'


def after(injected: str) -> dict:
    """The variables of a notebook after the cell of parameters and one that papermill injects."""
    namespace: dict = {}
    for cell in (CELL, injected):
        exec(cell, namespace)
    return namespace


@pytest.mark.parametrize("injected", ["", "alphas = []", "seed = 0", "rate = 1", "fast = True", 'style = ""'])
def test_values_of_the_stated_kinds_are_taken(injected):
    check_parameters(after(injected))


@pytest.mark.parametrize(
    ("injected", "says"),
    [
        ("alphas = 1", 'parameter alphas 1 is not a list: for a list, give papermill -y "alphas: [...]"'),
        ("alphas = '0.5'", "parameter alphas '0.5' is not a list"),
        ("seed = 1e3", "parameter seed 1000.0 is not a whole number: give papermill -p seed 20, for example"),
        ("seed = True", "parameter seed True is not a whole number"),
        ("rate = 'fast'", "parameter rate 'fast' is not a number"),
        ("rate = True", "parameter rate True is not a number"),
        ("style = 7", "parameter style 7 is not a text: for a text of digits, give papermill -r style TEXT"),
        ("fast = 1", "parameter fast 1 is not true or false"),
        ("seed = None", "parameter seed None is not a whole number"),
    ],
)
def test_another_kind_is_one_line_that_says_what_to_write(injected, says):
    with pytest.raises(DataError) as caught:
        check_parameters(after(injected))
    assert says in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[p.stem for p in NOTEBOOKS])
def test_every_notebook_states_kinds_and_checks_them_before_anything_else(path):
    cells = [c for c in json.loads(path.read_text())["cells"] if c["cell_type"] == "code"]
    at = next(i for i, c in enumerate(cells) if "parameters" in c["metadata"].get("tags", []))
    assert all(":" in line.split("=")[0] for line in "".join(cells[at]["source"]).splitlines())
    assert "".join(cells[at + 1]["source"]).startswith("check_parameters(globals())\n")
