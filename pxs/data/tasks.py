"""Tasks of a benchmark: a portrait, its face box, the expression asked for, and a prompt without intensity words.

`synthetic_bench.mini_bench` makes mini-FFE-Bench from synthetic faces; `load_bench` reads the real
FFE-Bench, or any set in its layout, from a folder or a hub id. `write_bench` writes a set in that layout.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, count
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from pxs.data.levels import STANDARD, Levels
from pxs.errors import DataError, PxsError, one_line, shown
from pxs.expressions import DOMAINS, Mix, check_domain, check_expression, prompt
from pxs.faces import STYLES
from pxs.images import Box, check_box, open_image, save_png, upright_size
from pxs.quantities import PIXEL, SEED
from pxs.storage.files import output_folder, replace_file
from pxs.storage.parsing import parse_json
from pxs.storage.paths import check_path, kind_of, picture_path

FIELDS = {
    "image": ("image", "image_path", "file_name", "img", "path", "src"),
    "expression": ("expression", "category", "target", "emotion", "target_expression", "label"),
    "box": ("box", "boxes", "bbox", "face_box", "face_bbox"),
    "prompt": ("prompt", "instruction", "text", "caption"),
    "domain": ("domain", "data_type", "type", "style"),
    "identity": ("identity",),
}
"""The names of each field of a row, in order of preference."""


class Truth(Protocol):
    """The ground truth of a portrait: the same person with any expression."""

    def __call__(self, mix: Mix, size: int | None = None) -> Image.Image:
        """The person with this mix, RGB, `size` x `size` pixels, by default at the portrait's own size."""
        ...


TruthOf = Callable[[int, str, str], Truth]


@dataclass(frozen=True)
class Task:
    """One edit to ask for.

    picture: a file, the content of one, or an image; None for a synthetic face. box: (left, top, right, bottom) of the
    face in pixels of the picture. truth: the ground truth, where there is one. identity and style: of a synthetic
    person, by which a written bench finds its truth again. part: that of the benchmark, where it has several. before:
    what the portrait of a synthetic person shows, by default nothing. fault: why this task cannot be run, else empty.
    levels: the intensities at which it is edited.
    """

    name: str
    domain: str = "human"
    expression: str = ""
    prompt: str = ""
    picture: Path | bytes | Image.Image | None = None
    box: Box | None = None
    identity: int | None = None
    style: str = ""
    part: str = ""
    before: Mix = Mix()
    truth: Truth | None = None
    fault: str = ""
    levels: Levels = STANDARD

    def open(self) -> Image.Image:
        """The portrait, upright RGB; raises DataError for a task with a fault, ImageError for a bad file or box."""
        if self.fault:
            raise DataError(self.fault)
        if self.picture is not None:
            image = open_image(self.picture)
            if self.box is not None:
                check_box(self.box, image.size)
            return image
        if self.truth is None:
            raise DataError(f"task {self.name!r} has neither a picture nor a ground truth: give one")
        return self.truth(self.before)

    def face(self, image: Image.Image, size: tuple[int, int]) -> Image.Image:
        """The face in an edit `image` of this portrait; `size` is the portrait's size, to which the box refers."""
        if self.box is None:
            raise DataError(f"task {self.name!r} has no face box: give one")
        across, down = image.width / size[0], image.height / size[1]
        left, top, right, bottom = self.box
        return image.crop((round(left * across), round(top * down), round(right * across), round(bottom * down)))


def write_bench(tasks: Sequence[Task], folder: str | Path) -> Path:
    """Write tasks as images/*.png and tasks.jsonl, the same bytes every time; returns the JSONL file.

    Raises OutputError if the folder cannot be written to or if images exist in it.
    """
    target = output_folder(folder)
    output_folder(target / "images")
    rows = []
    for task in tasks:
        image = save_png(task.open(), target / "images" / f"{task.name}.png", {})
        row = {"image": f"images/{image.name}", "box": task.box, "expression": task.expression, "prompt": task.prompt}
        person = {} if task.identity is None else {"identity": task.identity, "style": task.style, "part": task.part}
        person |= {"before": dict(task.before)} if task.before else {}
        rows.append({**row, "domain": task.domain} | person)
    replace_file(target / "tasks.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode())
    return target / "tasks.jsonl"


def load_bench(
    source: str | Path,
    domain: str = "human",
    truth_of: TruthOf | None = None,
    pictures: str | Path | None = None,
) -> list[Task]:
    """Tasks from a folder or file in the layout of FFE-Bench, or from the hub id of a downloaded data set.

    Rows are JSONL, CSV or Parquet; fields are found under any of the names in FIELDS; `domain` holds for rows that name
    none; `truth_of` gives the ground truth of a person's number, style and part of the benchmark, for rows that state
    them; `pictures` is the folder that all pictures must lie in, by default the set's own. A row that cannot be used,
    or whose picture cannot, by its header, becomes a task with a fault. Raises DataError if there are no rows, or none
    that can be used.
    """
    path = check_path(source)
    root = path if kind_of(path) else _downloaded(str(source))
    single = kind_of(root) == "file"
    tables, inside = ([root], root.parent) if single else (_tables(root), root)
    tasks: list[Task] = []
    for table in tables:
        rows = _rows(table)
        find = partial(_picture, folder=table.parent, root=pictures or inside)
        tasks += [_task(row, find, f"{table.stem}_{i:03d}", domain, truth_of) for i, row in enumerate(rows)]
    tasks = _named_apart(tasks)
    if not tasks:
        raise DataError(f"{str(source)!r} holds no tasks: give a folder with JSONL, CSV or Parquet rows")
    if all(task.fault for task in tasks):
        raise DataError(f"{str(source)!r} holds no task that can be used, {tasks[0].name}: {tasks[0].fault}")
    return tasks


def _named_apart(tasks: Sequence[Task]) -> list[Task]:
    """The tasks with unique names: the picture's name, followed by expression and number where it is not unique."""
    taken: set[str] = set()
    named = []
    for task in tasks:
        numbered = (f"{task.name}_{task.expression}_{n}" for n in count(2))
        name = next(n for n in chain([task.name, f"{task.name}_{task.expression}"], numbered) if n not in taken)
        taken.add(name)
        named.append(replace(task, name=name))
    return named


def _downloaded(hub_id: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(hub_id, repo_type="dataset", local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        raise DataError(
            f"benchmark {hub_id!r} is neither a folder nor downloaded: run 'hf download --repo-type dataset {hub_id}' "
            "first, or give a folder"
        ) from None


READERS = {".jsonl": "json", ".json": "json", ".csv": "csv", ".parquet": "parquet"}


def _tables(root: Path) -> list[Path]:
    """The tables in a folder: all files of the first format that is found, so that copies do not count twice."""
    for suffix in READERS:
        named = (p for p in root.rglob(f"*{suffix}") if not p.name.startswith(("dataset_info", ".")))
        found = sorted(p for p in named if p.is_file())
        if found:
            return found
    return []


def _rows(table: Path) -> list[dict[str, Any]]:
    from datasets import Dataset
    from datasets.utils.logging import CRITICAL, disable_progress_bar, set_verbosity

    disable_progress_bar()
    set_verbosity(CRITICAL)  # it logs the errors that it raises
    reader = READERS.get(table.suffix)
    if reader is None:
        raise DataError(f"{table} is neither JSONL, CSV nor Parquet: give a folder or file in the layout of FFE-Bench")
    if reader == "json":
        return _json_rows(table)
    try:
        return list(getattr(Dataset, f"from_{reader}")(str(table), keep_in_memory=True))
    except Exception as error:
        raise DataError(f"{table} cannot be read as {reader} ({one_line(error)}): check the file") from None


def _json_rows(table: Path) -> list[dict[str, Any]]:
    """Objects, one a line or as one list; row by row, since rows may differ in their fields."""
    try:
        text = table.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{table} cannot be read ({one_line(error)}): check the file") from None
    entries = [text] if text.lstrip().startswith("[") else text.splitlines()
    rows: list[Any] = []
    for number, entry in enumerate(entries, 1):
        try:
            found = parse_json(entry, "write one object a line") if entry.strip() else []
        except DataError as error:
            raise DataError(f"{table}, row {number} is {error}") from None
        rows += found if isinstance(found, list) else [found]
    wrong = [row for row in rows if not isinstance(row, dict)]
    if wrong:
        raise DataError(f"{table} holds {shown(wrong[0])}, which is not an object: write one object a line")
    return rows


def _task(
    row: Mapping[str, Any],
    find: Callable[[Any], Path | bytes],
    name: str,
    domain: str,
    truth_of: TruthOf | None,
) -> Task:
    found = {field: next((row[n] for n in names if row.get(n) is not None), None) for field, names in FIELDS.items()}
    try:
        word = check_expression(str(found["expression"]).strip().lower())
        kind = _domain(found["domain"], domain)
        picture = find(found["image"])
        label = picture.stem if isinstance(picture, Path) else name
        text = found["prompt"] or prompt(word, kind)
        number = found["identity"]
        style = str(row.get("style") or "")
        person = SEED.named("identity")(number) if isinstance(number, int) else None
        part = str(row.get("part") or "")
        truth = truth_of(person, style, part) if truth_of and person is not None and style in STYLES else None
        before = _before(row) if person is not None else Mix()
        box = check_box(_box(found["box"]), upright_size(picture))
        return Task(label, kind, word, str(text), picture, box, number, style, part, before, truth)
    except PxsError as error:
        return Task(name, domain, fault=str(error))


def _before(row: Mapping[str, Any]) -> Mix:
    """What the portrait of a synthetic person shows, as the row says."""
    found = row.get("before")
    if found is None:
        return Mix()
    if not isinstance(found, Mapping):
        raise DataError(f'before {shown(found)} is not a mix: write for example {{"happy": 0.5}}')
    return Mix({name: value for name, value in found.items() if value is not None})


def _domain(value: Any, default: str) -> str:
    subjects = {subject: domain for domain, subject in DOMAINS.items()}
    word = str(value or default).lower()
    return check_domain(subjects.get(word, word))


def _picture(value: Any, folder: Path, root: str | Path) -> Path | bytes:
    """A picture's file, or its content out of a cell of a Parquet table."""
    content = value.get("bytes") if isinstance(value, Mapping) else None
    if isinstance(content, bytes) and content:
        return content
    value = value.get("path") if isinstance(value, Mapping) else value
    if not isinstance(value, str):
        raise DataError(f"no image is named ({value!r}): name it as one of {', '.join(FIELDS['image'])}")
    return picture_path(value, folder, root)


def _box(value: Any) -> Box:
    """A box from four numbers, also nested once, as text, or as a mapping of sides."""
    try:
        box = ast.literal_eval(value) if isinstance(value, str) else value
        if isinstance(box, Mapping):
            box = list(box.values())
        if len(box) == 1:
            box = box[0]
        left, top, right, bottom = PIXEL.several(box)
    except (TypeError, ValueError, SyntaxError, MemoryError, RecursionError):
        raise DataError(
            f"the face box {shown(value)} is not (left, top, right, bottom): give four pixel numbers"
        ) from None
    if not (left < right and top < bottom):
        raise DataError(f"the face box {shown(value)} is empty: right must exceed left, and bottom top")
    return left, top, right, bottom
