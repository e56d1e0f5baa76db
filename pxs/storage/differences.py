"""A model stored as its difference from another: a quarter of the size of float32 weights, half of float16.

    DIFFERENCE/transformer/diffusion_pytorch_model.difference.safetensors     of the part that was trained further
    DIFFERENCE/hashes.json                      the SHA-256 of every file of the whole model
    DIFFERENCE/...                              files that the other model does not have, or has otherwise

A weight W that changed is stored as int8 numbers D and a float32 scale s for each row, so that W = base + s D, rounded
to the dtype of the base. The largest error of a row is a 254th of its largest change. The arithmetic is the same on
every machine.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save

from pxs.errors import ModelError, OutputError, one_line
from pxs.storage.files import replace_file
from pxs.storage.hashes import HASHES, cache_folder, file_hash, write_hashes

SUFFIX, STORED = ".safetensors", ".difference.safetensors"
LEVELS = 127
Arrays = dict[str, NDArray[np.generic]]


def write_difference(base: Path, model: Path, target: Path) -> None:
    """Write to `target` what the folder `model` changes in the folder `base`.

    Weights of parts, so in folders of their own, are stored as int8, all other files (also an adapter) whole.
    Raises ModelError if a file of weights that both have holds other keys or shapes.
    """
    for file in sorted(f for f in model.rglob("*") if f.is_file() and f.name != HASHES):
        name = file.relative_to(model)
        if (base / name).is_file() and file_hash(base / name) == file_hash(file):
            continue
        if file.suffix == SUFFIX and name.parent.name and (base / name).is_file():
            content = save(_difference(load_file(base / name), load_file(file), file))
            replace_file(target / name.with_suffix(STORED), content)
        else:
            replace_file(target / name, file.read_bytes())
    with tempfile.TemporaryDirectory() as scratch:
        _assemble(base, target, Path(scratch))
        write_hashes(Path(scratch))
        replace_file(target / HASHES, (Path(scratch) / HASHES).read_bytes())


def assembled(base: Path, difference: Path) -> Path:
    """The folder of the whole model, made once in the cache of the package; later calls find it there.

    Raises OutputError if it can be written neither there nor to the folder for temporary files, ModelError if base and
    difference do not fit together.
    """
    name = f"{difference.name}-{_content(difference)}"
    places = [Path(tempfile.gettempdir()) / f"pxs-{_user()}"]
    if (cache := cache_folder()) is not None:
        places.insert(0, cache / "assembled")
    faults = []
    for place in places:
        if (place / name / HASHES).is_file():
            return place / name
        try:
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            return _made(base, difference, place / name)
        except OSError as error:
            faults.append(one_line(error))
    raise OutputError(f"{difference.name} must be unpacked first, and cannot be: {'; '.join(faults)}: set PXS_CACHE")


def _content(folder: Path) -> str:
    """16 hex digits that stand for the names and contents of all files in a folder."""
    digest = hashlib.sha256()
    for file in sorted(f for f in folder.rglob("*") if f.is_file()):
        digest.update(f"{file.relative_to(folder).as_posix()} {file_hash(file)}\n".encode())
    return digest.hexdigest()[:16]


def _user() -> str:
    """A name for this user's folder among temporary files."""
    return str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")


def _made(base: Path, difference: Path, target: Path) -> Path:
    """Assemble beside `target` and move the folder there; another process may have been first."""
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        _assemble(base, difference, scratch)
        scratch.chmod(0o755)
        os.rename(scratch, target)
    except OSError:
        if not (target / HASHES).is_file():
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target


def _assemble(base: Path, difference: Path, target: Path) -> None:
    """Write the whole model into the folder `target`."""
    parts = {f.relative_to(base) for f in base.glob("*/**/*") if f.is_file()} | {Path("model_index.json")}
    own = {f.relative_to(difference) for f in difference.rglob("*") if f.is_file()}
    for name in sorted(parts | own):
        changed = name.with_suffix(STORED)
        if name.name.endswith(STORED):
            continue
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if changed in own and name.suffix == SUFFIX:
            whole = _sum(load_file(base / name), load_file(difference / changed), difference / changed)
            (target / name).write_bytes(save(whole, metadata={"format": "pt"}))
        else:
            shutil.copyfile((difference if name in own else base) / name, target / name)


def _difference(base: Arrays, model: Arrays, file: Path) -> Arrays:
    """int8 numbers under the key of each weight that differs, and float32 scales (rows,) under it with ".scale"."""
    if {k: v.shape for k, v in base.items()} != {k: v.shape for k, v in model.items()}:
        raise ModelError(f"{file} has other weights than the model it was trained from: only their values may differ")
    found: Arrays = {}
    for key, before in base.items():
        if np.array_equal(model[key], before):
            continue
        rows = _rows(model[key]) - _rows(before)
        scale = (np.abs(rows).max(axis=1) / LEVELS).astype(np.float32)
        levels = np.rint(rows / np.where(scale > 0, scale, 1)[:, None])
        found[key], found[f"{key}.scale"] = levels.astype(np.int8).reshape(before.shape), scale
    return found


def _sum(base: Arrays, difference: Arrays, file: Path) -> Arrays:
    """The weights of the whole model, in the dtypes of the base."""
    changed = {key for key in difference if not key.endswith(".scale")}
    if not changed <= base.keys() or any(difference[key].shape != base[key].shape for key in changed):
        raise ModelError(f"{file} does not fit the model it belongs to: install the package again")
    whole: Arrays = dict(base)
    for key in changed:
        before = base[key]
        change = _rows(difference[key]) * difference[f"{key}.scale"].astype(np.float32)[:, None]
        whole[key] = (_rows(before) + change).astype(before.dtype).reshape(before.shape)
    return whole


def _rows(array: NDArray[np.generic]) -> NDArray[np.float32]:
    """An array as a float32 matrix (rows, the rest); a number has one row."""
    return array.astype(np.float32).reshape(len(array) if array.ndim else 1, -1)
