"""Model folders, adapters and benches with one thing wrong, made in the folder of a bad-input case.

Nothing of pxs takes part but the place of the embedded model, of which the model folders are changed copies.
"""

from __future__ import annotations

import io
import json
import shutil
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import pxs

MINI = Path(pxs.__file__).parent / "mini" / "weights"
WEIGHTS = {
    "transformer": "diffusion_pytorch_model.safetensors",
    "vae": "diffusion_pytorch_model.safetensors",
    "text_encoder": "model.safetensors",
}
Make = Callable[[Path], None]
Tensors = dict[str, np.ndarray]
BLOCK = "transformer_blocks.0.attn"
RANK, WIDTH = 4, 192


def copied(folder: Path) -> Path:
    """A copy of mini as folder/model, without the list of its hashes; weights are links to the originals."""
    target = folder / "model"
    shutil.copytree(MINI, target, ignore=shutil.ignore_patterns("*.safetensors", "hashes.json", "*.jsonl", "*.md"))
    for part, name in WEIGHTS.items():
        (target / part / name).symlink_to(MINI / part / name)
    return target


def model(change: Make) -> Make:
    """Makes a copy of mini, changed."""

    def make(folder: Path) -> None:
        change(copied(folder))

    return make


def text(name: str, content: str | bytes) -> Make:
    """Makes a model one of whose files holds this."""

    def change(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)

    return model(change)


def entries(name: str, **changes: Any) -> Make:
    """Makes a model with other entries in one of its JSON files; a name with dots is one within an object."""

    def change(folder: Path) -> None:
        document = json.loads((folder / name).read_text())
        for path, value in changes.items():
            *inner, last = path.split("__")
            place = document
            for step in inner:
                place = place[step]
            if value is ...:
                del place[last]
            else:
                place[last] = value
        (folder / name).write_text(json.dumps(document))

    return model(change)


def gone(name: str) -> Make:
    """Makes a model that lacks a file."""
    return model(lambda folder: (folder / name).unlink())


def tensors(part: str, change: Callable[[Tensors], Tensors]) -> Make:
    """Makes a model with other tensors in a part."""

    def changed(folder: Path) -> None:
        file = folder / part / WEIGHTS[part]
        found = load(file)
        file.unlink()
        save(file, change(found))

    return model(changed)


def without(part: str, *words: str) -> Make:
    """Makes a model without the tensors of a part whose names hold one of these words."""
    return tensors(part, lambda t: {k: v for k, v in t.items() if not any(word in k for word in words)})


def raw(part: str, change: Callable[[bytearray], bytes | bytearray]) -> Make:
    """Makes a model with other bytes in the weights of a part."""

    def changed(folder: Path) -> None:
        file = folder / part / WEIGHTS[part]
        content = bytearray(file.read_bytes())
        file.unlink()
        file.write_bytes(change(content))

    return model(changed)


def sharded(part: str, then: Callable[[list[Path], Path], None]) -> Make:
    """Makes a model whose part lies in three shards with an index, and calls `then(shards, index)`."""

    def changed(folder: Path) -> None:
        file = folder / part / WEIGHTS[part]
        found = load(file)
        file.unlink()
        names = sorted(found)
        shards, where = [], {}
        for i in range(3):
            shard = file.with_name(f"{file.stem}-0000{i + 1}-of-00003.safetensors")
            own = names[i::3]
            save(shard, {n: found[n] for n in own})
            where |= dict.fromkeys(own, shard.name)
            shards.append(shard)
        index = file.with_name(f"{file.name}.index.json")
        size = sum(t.nbytes for t in found.values())
        index.write_text(json.dumps({"metadata": {"total_size": size}, "weight_map": where}))
        then(shards, index)

    return model(changed)


def load(file: Path) -> Tensors:
    """The tensors of a safetensors file by our own reading of the format: float16 and float32."""
    content = file.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    data = content[8 + length :]
    kinds = {"F16": np.float16, "F32": np.float32}
    return {
        name: np.frombuffer(data[slice(*entry["data_offsets"])], kinds[entry["dtype"]]).reshape(entry["shape"])
        for name, entry in header.items()
        if name != "__metadata__"
    }


def packed(tensors: Mapping[str, tuple[str, list[int], bytes]], notes: Mapping[str, str] | None = None) -> bytes:
    """A safetensors file from {name: (dtype, shape, bytes)}, any dtype that the format knows."""
    header: dict[str, Any] = {"__metadata__": dict(notes)} if notes else {}
    data = b""
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + data


def save(file: Path, tensors: Tensors, notes: Mapping[str, str] | None = None) -> None:
    """Write tensors of numpy as a safetensors file."""
    names = {"float16": "F16", "float32": "F32", "float64": "F64", "int8": "I8", "complex64": "C64"}
    own = {n: (names[t.dtype.name], list(t.shape), t.tobytes()) for n, t in tensors.items()}
    file.write_bytes(packed(own, notes or {"format": "pt"}))


# Adapters


def lora(prefix: str = "transformer.", layer: str = f"{BLOCK}.to_q", rank: int = RANK) -> Tensors:
    """A sound adapter of one layer of mini."""
    draw = np.random.default_rng(0)
    shapes = {"A": (rank, WIDTH), "B": (WIDTH, rank)}
    return {
        f"{prefix}{layer}.lora_{side}.weight": draw.normal(0, 0.02, shape).astype(np.float32)
        for side, shape in shapes.items()
    }


def adapter(tensors: Tensors, notes: Mapping[str, str] | None = None, name: str = "a.safetensors") -> Make:
    """Makes an adapter of these tensors and notes."""
    return lambda folder: save(folder / name, tensors, notes)


def noted(**notes: Any) -> Make:
    """Makes a sound adapter whose header holds these notes as diffusers writes them."""
    return adapter(lora(), {"lora_adapter_metadata": json.dumps(notes)})


def content(data: bytes, name: str = "a.safetensors") -> Make:
    """Makes a file of these bytes."""
    return lambda folder: (folder / name).write_bytes(data) and None


def header(head: bytes, data: bytes = b"") -> Make:
    """Makes a safetensors file with this header."""
    return content(struct.pack("<Q", len(head)) + head + data)


def typed(dtype: str, size: int) -> Make:
    """Makes an adapter whose factors are of a dtype of `size` bytes, all of them zero."""
    shapes = {"A": [RANK, WIDTH], "B": [WIDTH, RANK]}
    return content(
        packed(
            {
                f"transformer.{BLOCK}.to_q.lora_{side}.weight": (dtype, shape, bytes(RANK * WIDTH * size))
                for side, shape in shapes.items()
            }
        )
    )


# Benches

ROW = {"image": "p.png", "box": [0, 0, 64, 64], "expression": "happy", "prompt": "p", "domain": "human"}


def bench(row: Mapping[str, Any] | str, picture: bytes | Callable[[], bytes] | None = None) -> Make:
    """Makes bench/tasks.jsonl with one row, and bench/p.png, a picture of 64 x 64 pixels by default."""

    def make(folder: Path) -> None:
        (folder / "bench").mkdir()
        (folder / "bench" / "p.png").write_bytes(made(png if picture is None else picture))
        line = row if isinstance(row, str) else json.dumps({**ROW, **row})
        (folder / "bench" / "tasks.jsonl").write_text(line + "\n")

    return make


def parquet(picture: Any, **changes: Any) -> Make:
    """Makes bench/tasks.parquet with one row, whose picture is this, or what it returns."""

    def make(folder: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        (folder / "bench").mkdir()
        row = {**ROW, **changes, "image": made(picture)}
        pq.write_table(pa.Table.from_pylist([row]), folder / "bench" / "tasks.parquet")

    return make


def cell(content: bytes | Callable[[], bytes]) -> Callable[[], dict[str, Any]]:
    """The cell of a table that holds a picture, made when it is called."""
    return lambda: {"bytes": made(content), "path": None}


def made(value: Any) -> Any:
    """A value, or what it returns."""
    return value() if callable(value) else value


def png(width: int = 64, height: int = 64, mode: str = "RGB") -> bytes:
    """A PNG file of one colour."""
    return encoded("PNG", width, height, mode)


def encoded(form: str, width: int = 64, height: int = 64, mode: str = "RGB") -> bytes:
    """A picture of one colour in a format of Pillow."""
    stream = io.BytesIO()
    Image.new(mode, (width, height)).save(stream, form)
    return stream.getvalue()
