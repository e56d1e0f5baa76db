"""Paths: too long, empty, with line breaks, of another kind, out of their folder, or of files that are there."""

import json
import os
import shutil

from bad_input import Case

from pxs.faces.draw import draw
from pxs.faces.identity import Identity

LONG = "n" * 256
WIDE = "é" * 128  # 256 bytes in UTF-8
DEEP = "d/" * 2100
EDIT = ("edit", "--image-path", "face.png", "--mix", "happy=1", "--output-dir", "out")

PATH_FLAGS = {
    "edit --image-path": ("edit", "--output-dir", "out", "--mix", "happy=1", "--image-path"),
    "edit --output-dir": ("edit", "--image-path", "face.png", "--mix", "happy=1", "--output-dir"),
    "edit --model-path": (
        "edit",
        "--image-path",
        "face.png",
        "--mix",
        "happy=1",
        "--output-dir",
        "out",
        "--model-path",
    ),
    "edit --lora-path": (*EDIT, "--lora-path"),
    "blend --image-path": ("blend", "--out", "out", "--image-path"),
    "blend --out": ("blend", "--image-path", "face.png", "--out"),
    "faces --out": ("faces", "--count", "1", "--out"),
    "faces --ffe --out": ("faces", "--ffe", "1", "--out"),
    "notebooks --out": ("notebooks", "--out"),
    "train --data": ("train", "--out", "out", "--data"),
    "train --out": ("train", "--data", "rows.jsonl", "--out"),
    "train --config": ("train", "--data", "rows.jsonl", "--out", "out", "--config"),
    "train --pictures": ("train", "--data", "rows.jsonl", "--out", "out", "--pictures"),
    "bench --out": ("bench", "--methods", "source", "--tasks", "1", "--out"),
    "bench --bench": ("bench", "--methods", "source", "--out", "out", "--bench"),
}
"""Every flag that takes a path, in a command that lacks its value only."""

WRONG = {
    "an empty path": ("", "an empty path"),
    "a line break in the path": ("a\nb", "'a\\nb' holds a line break"),
    "a name of 256 bytes": (LONG, "too long"),
}

OUTPUTS = (
    "edit --output-dir",
    "blend --out",
    "faces --out",
    "faces --ffe --out",
    "notebooks --out",
    "train --out",
    "bench --out",
)


def ffe_row(source="face.png", first="face.png", second="face.png"):
    """A row of FFE whose three pictures are these."""
    targets = [(first, "fear", 0.8), (second, "surprised", 0.5)]
    return {
        "src": {"image": source},
        "dst": [{"image": image, "category": word, "scores": {word: score}} for image, word, score in targets],
    }


def rows(*documents, name="rows.jsonl"):
    """Writes a file of JSON lines."""

    def make(folder):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("".join(json.dumps(document) + "\n" for document in documents))

    return make


def sound_rows(folder):
    rows(*[ffe_row()] * 6)(folder)


def named(name):
    """A copy of the face under another name, in bytes or text."""
    return lambda folder: shutil.copy(os.fsencode(folder / "face.png"), os.path.join(os.fsencode(folder), name))


def a_file(name, content="mine"):
    def make(folder):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)

    return make


def a_face(name):
    """Another portrait, without any text, where a result would go."""

    def make(folder):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        draw(Identity.sample(7)).save(folder / name)

    return make


def a_link(name, target):
    return lambda folder: (folder / name).symlink_to(target)


def both(*makers):
    def make(folder):
        for maker in makers:
            maker(folder)

    return make


def edit(*more, image="face.png", out="out"):
    return "edit", "--image-path", image, "--output-dir", out, "--steps", "1", *more


def train(*more):
    return "train", "--data", "rows.jsonl", "--steps", "1", "--out", "out", *more


HAPPY = ("--expression", "happy", "--scales")

FLAGS = [
    Case(f"{flag}: {wrong}", (*words, value), says, sound_rows)
    for flag, words in PATH_FLAGS.items()
    for wrong, (value, says) in WRONG.items()
]

SHAPES = [
    Case("a name of 128 letters of two bytes", (*PATH_FLAGS["faces --out"], WIDE), "too long"),
    Case("a path of 4200 bytes", (*PATH_FLAGS["faces --out"], DEEP), "too long"),
    Case("a carriage return in a folder", (*PATH_FLAGS["edit --output-dir"], "a\rb"), "control character"),
    Case("a separator of lines in a folder", (*PATH_FLAGS["edit --output-dir"], "a\u2028b"), "line break"),
    Case("an escape sequence in a folder", (*PATH_FLAGS["blend --out"], "\x1b[31mred"), "control character"),
    Case(
        "a picture whose stem leaves no room for a result",
        edit(*HAPPY, "1", image="n" * 250 + ".png"),
        "too long",
        named(b"n" * 250 + b".png"),
    ),
    Case("a method's folder without a name", ("bench", "--methods", "mine=", "--out", "out"), "an empty path"),
    Case("a method's folder of too long a name", ("bench", "--methods", f"mine={LONG}", "--out", "out"), "too long"),
    Case("a method's folder that is a file", ("bench", "--methods", "mine=face.png", "--out", "out"), "not a folder"),
    Case("a method's name with a way up", ("bench", "--methods", "../evil=.", "--out", "out"), "not usable"),
    Case("an adapter of too long a name with a weight", (*PATH_FLAGS["edit --lora-path"], f"{LONG}=0.5"), "too long"),
    Case("a picture that is a device", edit(*HAPPY, "1", image="/dev/zero"), "not a regular file"),
    Case(
        "a picture that is a link to itself",
        edit(*HAPPY, "1", image="loop.png"),
        "loop.png",
        a_link("loop.png", "loop.png"),
    ),
    Case("a picture below a file", edit(*HAPPY, "1", image="face.png/a.png"), "face.png/a.png"),
    Case(
        "a picture by a name in no encoding that is not there", edit(*HAPPY, "1", image="\udcff.png"), "does not exist"
    ),
    Case("a picture by half a character", edit(*HAPPY, "1", image="\ud800.png"), ".png"),
    Case(
        "a model folder that is a link to itself",
        (*PATH_FLAGS["edit --model-path"], "loop"),
        "loop",
        a_link("loop", "loop"),
    ),
    Case("rows that are a device", ("train", "--data", "/dev/null", "--out", "out"), "is not a file"),
    Case(
        "a bench that is a device",
        ("bench", "--methods", "source", "--bench", "/dev/null", "--out", "out"),
        "/dev/null",
    ),
]

PLACES = [
    *(Case(f"{flag}: a file", (*PATH_FLAGS[flag], "face.png"), "face.png", sound_rows) for flag in OUTPUTS),
    *(Case(f"{flag}: below a file", (*PATH_FLAGS[flag], "face.png/out"), "face.png", sound_rows) for flag in OUTPUTS),
    *(
        Case(f"{flag}: below a device", (*PATH_FLAGS[flag], "/dev/null/out"), "/dev/null", sound_rows)
        for flag in OUTPUTS
    ),
    *(Case(f"{flag}: in /proc", (*PATH_FLAGS[flag], "/proc/pxs/out"), "/proc/pxs", sound_rows) for flag in OUTPUTS),
    Case("results in a link to itself", (*PATH_FLAGS["faces --out"], "loop"), "loop", a_link("loop", "loop")),
]

TWICE = [
    Case("one scale in two writings", edit(*HAPPY, "1", "1.0"), "ask for each mix once"),
    Case("nothing with two signs", edit(*HAPPY, "0", "-0"), "ask for each mix once"),
    Case("two scales of one name", edit(*HAPPY, "0.1234567", "0.1234568"), "happy_0.123457.png"),
    Case("one scale twice, published", edit(*HAPPY, "1", "1.0", "--recipe", "published"), "ask for each mix once"),
    Case("nothing twice, published", edit(*HAPPY, "0", "-0", "--recipe", "published"), "ask for each mix once"),
]

THERE = [
    Case("a file where an edit goes", edit("--mix", "happy=1"), "exists", a_file("out/face_happy_1.png")),
    Case("another picture where an edit goes", edit("--mix", "happy=1"), "exists", a_face("out/face_happy_1.png")),
    Case(
        "a link to nothing where an edit goes",
        edit("--mix", "happy=1"),
        "exists",
        both(a_file("out/a.txt"), a_link("out/face_happy_1.png", "gone.png")),
    ),
    Case(
        "a file where a portrait goes",
        ("faces", "--count", "1", "--out", "out"),
        "exists",
        a_file("out/human_000_neutral.png"),
    ),
    Case(
        "another picture where a portrait goes",
        ("faces", "--count", "1", "--out", "out"),
        "exists",
        a_face("out/anime_000_neutral.png"),
    ),
    Case(
        "a table where that of a set goes", ("faces", "--ffe", "1", "--out", "out"), "exists", a_file("out/train.jsonl")
    ),
    Case(
        "a picture where one of a set goes",
        ("faces", "--ffe", "1", "--out", "out"),
        "exists",
        a_face("out/images/00000_source.png"),
    ),
    Case(
        "results where those of a blend go",
        ("blend", "--image-path", "face.png", "--out", "out"),
        "exists",
        a_file("out/results.json", "{}"),
    ),
    Case(
        "a sheet where that of a blend goes",
        ("blend", "--image-path", "face.png", "--out", "out"),
        "exists",
        a_face("out/sheet.png"),
    ),
]

OUTSIDE = [
    *(
        Case(
            f"{where} of a row is {what}",
            train(),
            "lies outside of",
            both(named(b"kept.png"), rows(ffe_row(**{key: name}))),
        )
        for where, key in (("the source", "source"), ("the first target", "first"), ("the second target", "second"))
        for what, name in (("above its folder", "../face.png"), ("an absolute path", "/etc/hostname"))
    ),
    Case(
        "a row that leaves its folder and comes back elsewhere",
        train(),
        "lies outside of",
        rows(ffe_row("a/../../face.png")),
    ),
    Case("rows outside of the stated folder", train("--pictures", "inside"), "lies outside of", sound_rows),
    Case(
        "a stated folder whose name only begins alike",
        ("train", "--data", "set/rows.jsonl", "--out", "out"),
        "lies outside of",
        rows(ffe_row(first="../set2/face.png"), name="set/rows.jsonl"),
    ),
    Case("a picture of a row with a line break", train(), "line break", rows(ffe_row("a\nb.png"))),
    Case("a picture of a row with too long a name", train(), "too long", rows(ffe_row(LONG))),
    Case("a picture of a row with half a character", train(), "half a character", rows(ffe_row("\ud800.png"))),
    Case("a picture of a row that is its folder", train(), "lies outside of", rows(ffe_row("."))),
]

CASES = [*FLAGS, *SHAPES, *PLACES, *TWICE, *THERE, *OUTSIDE]
