"""Many pictures, presets, formats and files that state odd colours."""

import os
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
from bad_input import Case, nothing
from PIL import Image

DEEP = "[" * 100_000


def edit(*pictures, preset="happy", out="out", more=()):
    return ("edit", *pictures, "--preset", preset, "--output-dir", out, "--steps", "1", *more)


def empty_folder(folder: Path) -> None:
    (folder / "photos").mkdir()


def words_alone(folder: Path) -> None:
    empty_folder(folder)
    (folder / "photos" / "notes.txt").write_text("no picture")


def circle(folder: Path) -> None:
    empty_folder(folder)
    (folder / "photos" / "self").symlink_to(".", target_is_directory=True)
    (folder / "photos" / "up").symlink_to("..", target_is_directory=True)
    (folder / "face.png").unlink()


def links_to_each_other(folder: Path) -> None:
    (folder / "a.png").symlink_to("b.png")
    (folder / "b.png").symlink_to("a.png")


def photos(folder: Path) -> None:
    empty_folder(folder)
    shutil.copy(folder / "face.png", folder / "photos")


def results_of_others(folder: Path) -> None:
    photos(folder)
    (folder / "out").mkdir()
    (folder / "out" / "face_happy_1.png").write_bytes((folder / "face.png").read_bytes())


def an_index_of_others(folder: Path) -> None:
    photos(folder)
    (folder / "out").mkdir()
    (folder / "out" / "index.jsonl").write_text('{"name": "mine"}\n')


def a_page_of_others(folder: Path) -> None:
    photos(folder)
    (folder / "out").mkdir()
    (folder / "out" / "gallery.html").write_text("<html>holidays</html>")


def results_in_a_file(folder: Path) -> None:
    photos(folder)
    (folder / "out").write_text("a file")


def preset(content):
    def make(folder: Path) -> None:
        (folder / "p.json").write_bytes(content if isinstance(content, bytes) else content.encode())

    return make


def pipe(folder: Path) -> None:
    os.mkfifo(folder / "p.json")


def png(*chunks: tuple[bytes, bytes]):
    """Makes odd.png, 32 x 32, with these chunks before the pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def make(folder: Path) -> None:
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", 32, 32, 8, 2, 0, 0, 0))
        rows = chunk(b"IDAT", zlib.compress(bytes(32 * 97)))
        content = b"".join(chunk(*one) for one in chunks)
        (folder / "odd.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + content + rows + chunk(b"IEND", b""))

    return make


def hdr_avif(folder: Path) -> None:
    Image.new("RGB", (64, 64)).save(folder / "odd.avif")
    content = (folder / "odd.avif").read_bytes()
    at = content.index(b"nclx")
    (folder / "odd.avif").write_bytes(content[: at + 4] + struct.pack(">HH", 9, 16) + content[at + 8 :])


def cut_avif(folder: Path) -> None:
    Image.effect_noise((64, 64), 80).convert("RGB").save(folder / "cut.avif")
    (folder / "cut.avif").write_bytes((folder / "cut.avif").read_bytes()[:200])


def cut_heic(folder: Path) -> None:
    (folder / "cut.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40))


def flat_deep_grey(folder: Path) -> None:
    Image.fromarray(np.full((32, 32), 70_000, np.int32)).save(folder / "deep.tif")


NOT_PRESETS = {
    "empty": ("", "cannot be used"),
    "cut short": ('{"mix": {"happy": 1', "cannot be used"),
    "a list": ("[1]", "not an object"),
    "without a mix": ('{"seed": 3}', 'either "mix" or "mixes"'),
    "with a misspelt expression": ('{"mix": {"hapy": 1}}', "did you mean 'happy'"),
    "with a text as intensity": ('{"mix": {"happy": "1"}}', "not a number"),
    "with NaN": ('{"mix": {"happy": NaN}}', "is not a number"),
    "with an endless intensity": ('{"mix": {"happy": 1e999}}', "is not a number"),
    "with thousands of digits": ('{"mix": {"happy": ' + "9" * 5000 + "}}", "cannot be used"),
    "with an entry too many": ('{"mix": {}, "lora": "x"}', "unknown entry 'lora'"),
    "with half a step": ('{"mix": {}, "steps": 0.5}', '"steps" 0.5'),
    "with a seed below 0": ('{"mix": {}, "seed": -1}', '"seed" -1'),
    "with true as a seed": ('{"mix": {}, "seed": true}', '"seed" True'),
    "with the old name of the domain": ('{"mix": {}, "data_type": "human"}', '"data_type" is now called "domain"'),
    "for a robot": ('{"mix": {}, "domain": "robot"}', "'robot'"),
    "with a mix twice": ('{"mixes": [{}, {"sad": 0}]}', "twice"),
    "nested without end": (DEEP, "cannot be used"),
    "of bytes": (b"\xff\xfe\x00", "cannot be used"),
    "of a megabyte and more": ('{"mix": {}}' + " " * 1_000_001, "more than 1000000 bytes"),
}

CASES = [
    Case("an empty folder of pictures", edit("photos"), "holds no pictures", empty_folder),
    Case("a folder of words", edit("photos"), "holds no pictures", words_alone),
    Case("an empty folder with links in circles", edit("photos"), "holds no pictures", circle),
    Case("links to each other", edit("a.png"), "cannot be read", links_to_each_other),
    Case("a folder by a flag, empty", edit("--image-path", "photos"), "holds no pictures", empty_folder),
    Case("a pattern without matches", edit("*.webp"), "no picture matches '*.webp'"),
    Case("a pattern with stars within a name", edit("a**/*.png"), "folder of its own"),
    Case("a missing picture among several", edit("face.png", "gone.png"), "'gone.png' does not exist"),
    Case("a missing folder", edit("photos/"), "does not exist"),
    Case("an empty name among pictures", edit("", "face.png"), "an empty path"),
    Case("a name with a null byte", edit("a\0b", "face.png"), "control character"),
    Case("no picture", edit(), "no picture was given"),
    Case("results among the pictures", edit("photos", out="photos"), "choose another folder", photos),
    Case("results among those of a pattern", edit("photos/*", out="photos"), "choose another folder", photos),
    Case("a foreign picture in the place of a result", edit("photos"), "with other settings", results_of_others),
    Case("a foreign index", edit("photos"), "not an index of results", an_index_of_others),
    Case("a foreign page", edit("photos"), "no page of results", a_page_of_others),
    Case("many results in a file", edit("photos"), "is a file", results_in_a_file),
    Case("a face box for many", edit("photos", more=("--face-box", "0", "0", "9", "9")), "for one picture", photos),
    Case("no workers", edit("photos", more=("--workers", "0")), "workers 0 is too small", photos),
    Case("half a worker", edit("photos", more=("--workers", "0.5")), "workers '0.5'", photos),
    Case("an unknown engine", edit("photos", more=("--engine", "spark")), "'spark'", photos),
    Case("an unknown format", edit("face.png", more=("--format", "gif")), "'gif'"),
    Case("many with an unknown model", edit("photos", more=("--model-path", "gone")), "no model 'gone'", photos),
    Case("many with a missing adapter", edit("photos", more=("--lora-path", "a.safetensors")), "no adapter", photos),
    Case("a preset beside a mix", edit("face.png", more=("--mix", "sad=1")), "--preset excludes"),
    Case("an unknown preset", edit("face.png", preset="hapy"), "no preset 'hapy'"),
    Case("a folder as a preset", edit("face.png", preset="photos"), "no preset 'photos'", empty_folder),
    Case("a pipe as a preset", edit("face.png", preset="p.json"), "no preset 'p.json'", pipe),
    Case("a picture as a preset", edit("face.png", preset="face.png"), "cannot be used"),
    *(
        Case(f"a preset {name}", edit("face.png", preset="p.json"), says, preset(content))
        for name, (content, says) in NOT_PRESETS.items()
    ),
    Case("a PNG in PQ", edit("odd.png"), "high dynamic range (PQ)", png((b"cICP", bytes([9, 16, 0, 1])))),
    Case("a PNG in HLG", edit("odd.png"), "high dynamic range (HLG)", png((b"cICP", bytes([9, 18, 0, 1])))),
    Case("an AVIF in PQ", edit("odd.avif"), "high dynamic range (PQ)", hdr_avif),
    Case("an AVIF that is cut short", edit("cut.avif"), "cut.avif", cut_avif),
    Case("a HEIC that is cut short", edit("cut.heic"), "cut.heic", cut_heic),
    Case("a deep grey without a range", edit("deep.tif"), "70000", flat_deep_grey),
    Case("a sound face and no expression", ("edit", "face.png", "--output-dir", "out"), "no expression", nothing),
]
