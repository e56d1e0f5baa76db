"""Every notebook runs under papermill with small parameters, without hidden failures, and writes plausible results.

papermill does not report errors in widgets and threads, or cells that did not run; `hidden_failures` finds them.
"""

import ast
import json
import re
import shlex
from pathlib import Path

import nbformat
import papermill
import pytest
from exercises import solutions
from nbconvert import SlidesExporter

from analysis import sweep
from analysis.parameters import check_parameters
from pxs.cli import parser
from pxs.data.ffe import read

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
SMALL = {
    "01_edit": {"scales": [0, 1], "steps": 2, "expression": "surprised"},
    "02_blend": {"face_seeds": [400003, 400011], "seeds": [42], "steps": 1, "scales": [0, 1], "adapter": "none"},
    "03_train_lora": {"row_count": 8, "train_steps": 2, "batch": 2, "rank": 2, "steps": 1, "face_seeds": [400010]},
    "05_bench": {"methods": ["truth", "source", "base"], "task_count": 2, "steps": 1},
    "06_rivals": {"methods": ["base", "attributecontrol_naive", "flowslider"], "task_count": 1, "steps": 1},
    "07_build_ffe": {
        "person_count": 4,
        "size": 96,
        "pairs": 1,
        "share": 0.5,
        "train_steps": 1,
        "train_seeds": [0],
        "test_people": 1,
    },
    "08_study": {"rater_count": 5, "careless": 1, "questions": 9, "pairs": 3, "face_count": 3},
    "04_entanglement": {
        "face_seeds": [400000, 400001, 400002],
        "expressions": ["surprised", "fear", "angry", "disgust"],
        "scales": [0.5, 1],
        "steps": 2,
        "step": 1,
        "neighbours": 5,
        "patch_faces": 1,
        "patch_steps": 1,
        "permutations": 9,
    },
}

KINDS = {"int": int, "float": float, "str": str, "list": list}


def hidden_failures(notebook: nbformat.NotebookNode) -> list[str]:
    """The failures in an executed notebook that did not stop it."""
    found = []
    for index, cell in enumerate(notebook.cells):
        skipped = "skip-execution" in cell.metadata.get("tags", [])
        if cell.cell_type == "code" and cell.source.strip() and not cell.execution_count and not skipped:
            found.append(f"cell {index} was not executed")
        for output in cell.get("outputs", []):
            if output.output_type == "stream" and "Traceback (most recent call last)" in output.text:
                found.append(f"cell {index} printed a traceback")
    for block in notebook.metadata.get("widgets", {}).values():
        for widget in block.get("state", {}).values():
            errors = [o for o in widget.get("state", {}).get("outputs") or [] if o.get("output_type") == "error"]
            found += [f"widget: {e['ename']}: {e['evalue']}" for e in errors]
    return found


def pictures_without_text(notebook: nbformat.NotebookNode) -> list[str]:
    """The cells whose pictures have no alternative text, for those who cannot see them."""
    found = []
    for cell in notebook.cells:
        for data in (output["data"] for output in cell.get("outputs", []) if "data" in output):
            texts = re.findall(r'<img alt="([^"]*)"', data.get("text/html", ""))
            if "image/png" in data and [len(text) > 15 for text in texts] != [True]:
                found.append(cell.source)
    return found


def run(path: Path, out: Path, parameters: dict) -> nbformat.NotebookNode:
    """Execute with papermill, and the code of the solutions after it; unknown parameters and hidden failures fail."""
    known = papermill.inspect_notebook(str(path))
    assert set(parameters) <= set(known)
    notebook = nbformat.read(path, as_version=4)
    notebook.cells += [nbformat.v4.new_code_cell(code) for code in solutions(notebook, known).cells]
    nbformat.write(notebook, out / f"solved_{path.name}")
    executed = papermill.execute_notebook(
        str(out / f"solved_{path.name}"),
        str(out / path.name),
        parameters={**parameters, "out_dir": str(out)},
        kernel_name="python3",
        progress_bar=False,
        execution_timeout=900,
    )
    assert hidden_failures(executed) == []
    assert pictures_without_text(executed) == []
    return executed


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_is_clean(path):
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.cells[0].cell_type == "markdown"
    assert sum("parameters" in cell.metadata.get("tags", []) for cell in code) == 1
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert not any("sys.path" in cell.source or cell.source.lstrip().startswith(("!", "%pip")) for cell in code)
    assert path.stem in SMALL, "give every notebook small parameters above"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_tells_a_reader_what_to_expect_and_what_is_seen(path):
    notebook = nbformat.read(path, as_version=4)
    assert all(f"**{word}" in notebook.cells[0].source for word in ("You learn", "Time:", "Needs:"))
    told = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    figures = [c for c in notebook.cells if c.cell_type == "code" and "save_figure(" in c.source]
    assert figures
    for cell in figures:
        after = notebook.cells[notebook.cells.index(cell) + 1 :]
        text = next(c.source for c in after if c.cell_type == "markdown")
        assert "**See:**" in text and "**It means:**" in " ".join(text.split()), cell.source
    assert any(text.startswith("## Exercises") for text in told)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_solutions_of_exercises_can_be_run(path, monkeypatch, tmp_path):
    """Their code runs with the notebook, see `run`; here the parameters and the commands are checked."""
    monkeypatch.chdir(NOTEBOOKS[0].parents[1])
    known = papermill.inspect_notebook(str(path))
    found = solutions(nbformat.read(path, as_version=4), known)
    assert found.parameters and found.commands
    defaults = {name: ast.literal_eval(about["default"]) for name, about in known.items()}
    kinds = {
        name: {"int": int, "float": float, "str": str, "list": list}[a["inferred_type_name"]]
        for name, a in known.items()
    }
    for values in found.parameters:
        check_parameters({**defaults, **values, "__annotations__": kinds})
        assert any(defaults[name] != value for name, value in values.items())
    for line in found.commands:
        program, *words = shlex.split(line)
        if program == "pxs":
            parser().parse_args(words)
        elif program == "papermill":
            named = papermill.inspect_notebook(words[0])
            assert {words[i + 1] for i, word in enumerate(words) if word in ("-p", "-r")} <= named.keys()
        elif program == "python" and words[:2] == ["-m", "analysis.sweep"]:
            pairs = [words[i + 1 : i + 3] for i, word in enumerate(words) if word == "-p"]
            assert sweep.plan(Path(words[2]), {name: sweep.values_of(text) for name, text in pairs}, tmp_path)
        else:
            assert program in ("mkdir",) or program.startswith("ADAPTER=")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_is_a_talk(path):
    notebook = nbformat.read(path, as_version=4)
    kinds = [cell.metadata.slideshow.slide_type for cell in notebook.cells]
    assert set(kinds) <= {"slide", "subslide", "fragment", "skip", "-"} and kinds[0] == "slide"
    assert all(kind == "skip" for cell, kind in zip(notebook.cells, kinds, strict=True) if cell.metadata.get("tags"))
    page, _ = SlidesExporter(exclude_input=True).from_notebook_node(notebook)
    assert page.count("<section>") >= kinds.count("slide") and "You learn" in page and "import pxs" not in page


@pytest.fixture(scope="module")
def edit_run(tmp_path_factory):
    out = tmp_path_factory.mktemp("edit")
    return run(NOTEBOOKS[0], out, SMALL["01_edit"]), out


def test_edit_notebook_writes_its_results_and_pictures(edit_run):
    _, out = edit_run
    results = json.loads((out / "results.json").read_text())
    known = {name: json.loads(json.dumps(value)) for name, value in results["parameters"].items()}
    assert known.keys() == papermill.inspect_notebook(str(NOTEBOOKS[0])).keys()
    assert known["scales"] == [0, 1] and known["expression"] == "surprised" and results["versions"]["pxs"]
    assert results["picture"] == "drawn face 400003"
    assert len(results["measured_intensity"]) == len(results["psnr_to_truth_db"]) == 2
    assert results["provenance"]["model"] == "mini"
    for name in [*results["files"], "sweep.png", "differences.png", "truth.png", "intensity.png", "animation.png"]:
        assert (out / name).stat().st_size > 1000


def test_edit_notebook_shows_its_pictures(edit_run):
    executed, _ = edit_run
    shown = [kind for cell in executed.cells for o in cell.get("outputs", []) for kind in o.get("data", {})]
    assert shown.count("image/png") == 7  # face, sweep, differences, truth, intensity, animation, solution


def test_edit_notebook_edits_a_picture_file(tmp_path):
    import pxs

    pxs.draw(pxs.Identity.sample(5), style="anime", size=160).save(tmp_path / "mine.png")
    parameters = {**SMALL["01_edit"], "image_path": str(tmp_path / "mine.png"), "domain": "anime", "steps": 1}
    run(NOTEBOOKS[0], tmp_path, parameters)
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["measured_intensity"] == [None, None] and results["picture"] == str(tmp_path / "mine.png")
    assert len(results["mean_change"]) == 2


def by_name(name):
    return next(path for path in NOTEBOOKS if path.stem == name)


def test_blend_notebook_judges_every_pair(tmp_path):
    run(by_name("02_blend"), tmp_path, SMALL["02_blend"])
    results = json.loads((tmp_path / "results.json").read_text())
    assert len(results["blended_pairs"]) == 15
    assert len(results["verdicts"]) == 2 * 15  # the base, and the drawings
    assert all(sum(kinds.values()) == 15 for kinds in results["counts"].values())
    for name in ("pairs", "balance", "present", "identity", "compatibility", "grid"):
        for suffix in ("png", "svg"):
            assert (tmp_path / f"{name}.{suffix}").stat().st_size > 1000


def test_entanglement_notebook_measures_base_and_adapter(tmp_path, adapter_file):
    parameters = {**SMALL["04_entanglement"], "adapter": str(adapter_file)}
    executed = run(by_name("04_entanglement"), tmp_path, parameters)
    results = json.loads((tmp_path / "results.json").read_text())
    assert {row["editor"] for row in results["of_pairs"]} == {"base", "adapter"}
    assert {(row["first"], row["second"]) for row in results["adapter_against_base"]} == {
        ("fear", "surprised"),
        ("angry", "disgust"),
    }
    assert all(0 < row["p"] <= 1 for row in results["places"])
    assert results["provenance"]["adapter"]["adapter"] == "random.safetensors"
    last = [row for row in results["patched"] if row["block"] == 5]
    assert all(abs(row["position"] - (row["stream"] == "image")) < 0.001 for row in last)
    assert {row["expression"] for row in results["attention"]} == {"fear", "surprised", "angry", "disgust"}
    figures = ("map_picture", "map_hidden", "pairs_overlap", "pairs_angle", "cosines", "landscape_image", "confusion")
    made = ("patched_text", "patched_image", "patched_blocks", "attention", "attention_steps", "attention_agreement")
    for name in (*figures, "landscape_text", "clean", *made):
        for suffix in ("png", "svg"):
            assert (tmp_path / f"{name}.{suffix}").stat().st_size > 1000
    kinds = {kind for cell in executed.cells for o in cell.get("outputs", []) for kind in o.get("data", {})}
    assert "application/vnd.jupyter.widget-view+json" in kinds


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("02_blend", {"pairs": [["fear", "fear"]]}, "is one expression"),
        ("02_blend", {"pairs": [["fear", "joy"]]}, "unknown expression 'joy'"),
        ("04_entanglement", {"neighbours": 500}, "a UMAP of 288 points with 500 neighbours is not possible"),
        ("04_entanglement", {"block": 6}, "block 6 is out of range"),
        ("04_entanglement", {"patch_faces": 0}, "patch_faces 0 is too small"),
    ],
)
def test_wrong_requests_stop_the_notebooks_before_anything_runs(name, parameters, message, tmp_path):
    with pytest.raises(papermill.PapermillExecutionError, match=message):
        run(by_name(name), tmp_path, parameters)
    assert not (tmp_path / "results.json").exists()


def test_training_notebook_trains_an_adapter_and_shows_both_sides(tmp_path):
    path = next(p for p in NOTEBOOKS if p.stem == "03_train_lora")
    executed = run(path, tmp_path, SMALL["03_train_lora"])
    results = json.loads((tmp_path / "results.json").read_text())
    assert [row["step"] for row in results["losses"]] == [1, 2]
    assert results["confusion_of_pairs"].keys() == {"fear/surprised", "angry/disgust"}
    assert (tmp_path / results["adapter"]).stat().st_size > 10_000
    for name in ("loss.png", "loss.svg", "sweep.png", "confusion.png"):
        assert (tmp_path / name).stat().st_size > 1000
    shown = [kind for cell in executed.cells for o in cell.get("outputs", []) for kind in o.get("data", {})]
    assert shown.count("image/png") == 7  # three rows of data, before, losses, sweep, confusion


def test_bench_notebook_writes_its_table_and_figures(tmp_path):
    path = next(p for p in NOTEBOOKS if p.stem == "05_bench")
    executed = run(path, tmp_path, SMALL["05_bench"])
    results = json.loads((tmp_path / "results.json").read_text())["methods"]
    assert results.keys() == {"truth", "source", "base"}
    assert all((row["tasks"], row["failed"]) == (2, 0) for row in results.values())
    assert results["truth"]["cls_12"] > 0.9 > results["source"]["cls_12"]
    for name in ("table.md", "table.csv", "response.png", "identity.svg", "confusion.png"):
        assert (tmp_path / name).stat().st_size > 200
    shown = [kind for cell in executed.cells for o in cell.get("outputs", []) for kind in o.get("data", {})]
    assert shown.count("image/png") == 4 and "text/markdown" in shown


def test_rivals_notebook_shows_a_row_a_method_and_writes_its_figures(tmp_path):
    path = next(p for p in NOTEBOOKS if p.stem == "06_rivals")
    executed = run(path, tmp_path, SMALL["06_rivals"])
    results = json.loads((tmp_path / "results.json").read_text())
    assert list(results["measured"]) == results["parameters"]["methods"] == SMALL["06_rivals"]["methods"]
    assert (tmp_path / "response.png").stat().st_size > 1000 and (tmp_path / "identity.svg").stat().st_size > 1000
    shown = [kind for cell in executed.cells for o in cell.get("outputs", []) for kind in o.get("data", {})]
    assert shown.count("image/png") == 3 + 1 and shown.count("text/markdown") == 2  # one of an exercise


def test_data_set_notebook_measures_its_stages_against_the_truth(tmp_path):
    executed = run(by_name("07_build_ffe"), tmp_path, SMALL["07_build_ffe"])
    results = json.loads((tmp_path / "results.json").read_text())
    errors = results["errors"]
    assert list(errors) == ["first", "all", "sure", "verified"]
    assert errors["all"]["own"] < errors["first"]["own"] and errors["verified"]["partner"] < errors["all"]["partner"]
    assert list(results["adapters"]) == ["without an adapter", "truth", "one pass", "checked by people"]
    assert {"train", "test"} == set(results["rows"]) and results["rows"]["test"] > 0
    assert len(read(tmp_path / "set" / "train.jsonl")) == results["rows"]["train"]
    for name in ("labels.png", "labels.svg"):
        assert (tmp_path / name).stat().st_size > 1000
    shown = [kind for cell in executed.cells for o in cell.get("outputs", []) for kind in o.get("data", {})]
    assert shown.count("image/png") == 3 and "application/vnd.jupyter.widget-view+json" in shown


def test_study_notebook_finds_the_faults_that_are_there(tmp_path):
    executed = run(by_name("08_study"), tmp_path, SMALL["08_study"])
    results = json.loads((tmp_path / "results.json").read_text())["study"]
    methods, counts = results["methods"], results["raters"]
    assert (counts["asked"], counts["counted"], len(counts["set_apart"])) == (5, 4, 1)
    assert methods["jumpy"]["continuity"]["mean"] < methods["even"]["continuity"]["mean"]
    assert methods["stranger"]["identity"]["mean"] < methods["even"]["identity"]["mean"]
    assert {judge["scale"] for judge in results["judges"].values()} == {"continuity", "identity"}
    assert len(list((tmp_path / "study" / "pages").iterdir())) == 5
    for name in ("scatter.png", "scatter.svg", "raters.png", "table.md"):
        assert (tmp_path / name).stat().st_size > 200
    shown = [kind for cell in executed.cells for o in cell.get("outputs", []) for kind in o.get("data", {})]
    assert shown.count("image/png") == 3 and "text/markdown" in shown


def test_a_wrong_parameter_stops_the_notebook(tmp_path):
    with pytest.raises(papermill.PapermillExecutionError, match="did you mean 'happy'"):
        run(NOTEBOOKS[0], tmp_path, {"expression": "hapy"})
    assert not (tmp_path / "results.json").exists()


FAULTY = {
    "interact": "import ipywidgets\nipywidgets.interact(lambda x: 1 / 0, x=1)",
    "output widget": "import ipywidgets\nwith ipywidgets.Output() as o:\n    1 / 0\no",
    "thread": "import threading\nt = threading.Thread(target=lambda: 1 / 0)\nt.start()\nt.join()",
    "early exit": "import sys\nsys.exit(0)",
}


@pytest.mark.parametrize("fault", FAULTY)
def test_hidden_failures_are_found(fault, tmp_path):
    cells = [nbformat.v4.new_code_cell(FAULTY[fault]), nbformat.v4.new_code_cell("1 + 1")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbformat.write(notebook, tmp_path / "faulty.ipynb")
    executed = papermill.execute_notebook(
        str(tmp_path / "faulty.ipynb"), None, kernel_name="python3", progress_bar=False
    )
    assert hidden_failures(executed) != []
