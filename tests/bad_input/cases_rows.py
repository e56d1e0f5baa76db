"""Rows: FFE files of a training, and tables of tasks of a benchmark, that are no JSON or of another form."""

import json
import os
from copy import deepcopy

from bad_input import Case

ROW = {
    "src": {"image": "face.png"},
    "dst": [
        {"image": "face.png", "category": "fear", "scores": {"fear": 0.8}},
        {"image": "face.png", "category": "sad", "scores": {"sad": 0.5}},
    ],
}
TASK = {"image": "face.png", "box": [0, 0, 64, 64], "expression": "happy"}


def changed(document, path, value):
    """A copy of a document with another value at a path of keys."""
    copy = deepcopy(document)
    *way, last = path
    inner = copy
    for key in way:
        inner = inner[key]
    inner[last] = value
    return copy


def content_of(rows):
    text = rows if isinstance(rows, (str, bytes)) else json.dumps(rows)
    return text.encode() if isinstance(text, str) else text


def ffe(name, rows, says="row 1"):
    """A training whose rows.jsonl has this content: text, bytes, or one object."""
    argv = ("train", "--data", "rows.jsonl", "--out", "out", "--steps", "1")
    return Case(name, argv, says, lambda folder: (folder / "rows.jsonl").write_bytes(content_of(rows)) and None)


def tasks(name, rows, says="", file="tasks.jsonl"):
    """A benchmark whose table has this content."""

    def make(folder):
        (folder / "set").mkdir()
        (folder / "set" / file).write_bytes(content_of(rows))

    return Case(name, ("bench", "--methods", "source", "--bench", "set", "--out", "out"), says, make)


def at(name, path, value, says="row 1"):
    return ffe(name, changed(ROW, path, value), says)


FORM = [
    Case("a folder for rows", ("train", "--data", ".", "--out", "out"), "is not a file"),
    Case("no file of rows", ("train", "--data", "no.jsonl", "--out", "out"), "'no.jsonl' is not a file"),
    Case("a picture for rows", ("train", "--data", "face.png", "--out", "out"), "'face.png', row 1"),
    ffe("no rows", "", "has no rows"),
    ffe("blank rows", " \n\n\t\n", "has no rows"),
    ffe("a row cut off", json.dumps(ROW)[:-9], "not JSON"),
    ffe("the second row cut off", json.dumps(ROW) + "\n" + json.dumps(ROW)[:-1], "row 2"),
    ffe("a row over many lines", json.dumps(ROW, indent=1), "not JSON"),
    ffe("a row with a comma behind it", json.dumps(ROW) + ",", "not JSON"),
    ffe("a comment before the rows", "# rows\n" + json.dumps(ROW), "not JSON"),
    ffe("rows in UTF-16", json.dumps(ROW).encode("utf-16"), "UTF-8"),
    ffe("rows in Latin 1", json.dumps(ROW)[:-1].encode() + b', "note": "f\xfcr"}', "UTF-8"),
    ffe("a NUL between rows", json.dumps(ROW) + "\n\0\n", "row 2"),
    ffe("brackets without end in a row", "[" * 200_000, "not JSON"),
    ffe("objects without end in a row", '{"src":' * 200_000, "not JSON"),
    ffe("digits by the thousand in a row", '{"src": ' + "9" * 5000 + "}", "not JSON"),
    ffe("rows as one list", [ROW], "give a JSON object"),
    ffe("a number for a row", "8", "give a JSON object"),
    ffe("null for a row", "null", "give a JSON object"),
    ffe("a row without anything", {}, "src is missing"),
]

FIELDS = [
    at("no source", ("src",), None, "src is missing"),
    at("a text for the source", ("src",), "face.png", "src is 'face.png'"),
    at("a source without a picture", ("src",), {}, "src.image is missing"),
    at("a list for a picture", ("src", "image"), ["face.png"], "src.image"),
    at("an empty name of a picture", ("src", "image"), "", "src.image is ''"),
    at("a picture that is not there", ("src", "image"), "no.png", "src.image 'no.png'"),
    at("a folder for a picture", ("src", "image"), ".", "src.image"),
    at("a NUL in the name of a picture", ("src", "image"), "a\0b.png", "src.image"),
    at("half a letter in the name of a picture", ("src", "image"), "\ud800.png", "src.image"),
    at("a picture on the network", ("src", "image"), "https://example.org/a.png", "src.image"),
    at("no targets", ("dst",), None, "dst is missing"),
    at("an object for the targets", ("dst",), ROW["dst"][0], "dst is"),
    at("one target", ("dst",), ROW["dst"][:1], "dst has 1 targets"),
    at("three targets", ("dst",), [*ROW["dst"], ROW["dst"][0]], "dst has 3 targets"),
    at("a text for a target", ("dst", 0), "face.png", "dst[0] is 'face.png'"),
    at("null for a target", ("dst", 1), None, "dst[1] is missing"),
    at("a target without a picture", ("dst", 1, "image"), None, "dst[1].image is missing"),
    at("a target without a category", ("dst", 0, "category"), None, "dst[0].category is missing"),
    at("a number for a category", ("dst", 0, "category"), 4, "dst[0].category is 4"),
    at("a misspelt category", ("dst", 0, "category"), "feer", "did you mean 'fear'"),
    at("the category neutral", ("dst", 0, "category"), "neutral", "unknown expression 'neutral'"),
    at("targets of one category", ("dst", 1), ROW["dst"][0], "both targets have the category 'fear'"),
    at("a category with a line end", ("dst", 0, "category"), "fear\n", "unknown expression"),
    at("an unknown domain", ("domain",), "robot", "unknown domain 'robot'"),
    at("a number for the domain", ("domain",), 1, "domain is 1"),
]

SCORES = [
    at("no scores", ("dst", 0, "scores"), None, "dst[0].scores is missing"),
    at("a list for the scores", ("dst", 0, "scores"), [0.5] * 12, "dst[0].scores"),
    at("no score for the category", ("dst", 0, "scores"), {"sad": 0.5}, "lacks 'fear'"),
    at("null for the score of the category", ("dst", 0, "scores"), {"fear": None}, "lacks 'fear'"),
    at("an unknown expression among the scores", ("dst", 0, "scores"), {"fear": 0.5, "joy": 1}, "unknown expression"),
    at("a text for a score", ("dst", 0, "scores", "fear"), "0.8", "dst[0].scores.fear '0.8' is "),
    at("true for a score", ("dst", 0, "scores", "fear"), True, "dst[0].scores.fear True is "),
    at("a score in percent", ("dst", 0, "scores", "fear"), 80, "dst[0].scores.fear 80 is "),
    at("a score below 0", ("dst", 0, "scores", "fear"), -1e-9, "dst[0].scores.fear"),
    at("a score of NaN", ("dst", 0, "scores", "fear"), float("nan"), "dst[0].scores.fear nan is "),
    at("a score of Infinity", ("dst", 0, "scores", "fear"), float("inf"), "dst[0].scores.fear inf is "),
    at("a score of hundreds of digits", ("dst", 0, "scores", "fear"), 10**400, "dst[0].scores.fear"),
]

BOXES = [
    at("box and boxes", ("src",), {"image": "face.png", "box": [0, 0, 9, 9], "boxes": [0, 0, 9, 9]}, "box and boxes"),
    at("a text for a box", ("src", "box"), "0 0 64 64", "src.box"),
    at("a box of three numbers", ("src", "box"), [0, 0, 64], "src.box"),
    at("a box of texts", ("src", "boxes"), [["0", "0", "64", "64"]], "src.boxes"),
    at("a box without area", ("src", "box"), [64, 0, 64, 64], "src.box"),
    at("a box upside down", ("src", "box"), [0, 64, 64, 0], "src.box"),
    at("a box of NaN", ("src", "box"), [0, 0, float("nan"), 64], "src.box"),
    at("a box of hundreds of digits", ("src", "box"), [0, 0, 10**400, 64], "src.box"),
    at("boxes in boxes", ("src", "boxes"), [[[[0, 0, 64, 64]]]], "src.boxes"),
    at("an object for a box", ("dst", 0, "box"), {"left": 0}, "dst[0].box"),
]

TABLES = [
    Case("no benchmark", ("bench", "--methods", "source", "--bench", "no", "--out", "out"), "'no'"),
    Case(
        "a picture for a benchmark", ("bench", "--methods", "source", "--bench", "face.png", "--out", "out"), "face.png"
    ),
    Case("a folder without tables", ("bench", "--methods", "source", "--bench", ".", "--out", "out"), "no tasks"),
    Case(
        "a pipe for a table",
        ("bench", "--methods", "source", "--bench", ".", "--out", "out"),
        "no tasks",
        lambda folder: os.mkfifo(folder / "tasks.jsonl"),
    ),
    tasks("an empty table", "", "no tasks"),
    tasks("a number for a mix before", TASK | {"identity": 3, "before": 0.5}, "before 0.5 is not a mix"),
    tasks("a mix before of no expression", TASK | {"identity": 3, "before": {"glad": 1}}, "'glad'"),
    tasks("a table cut off", json.dumps(TASK)[:-3], "not JSON"),
    tasks("a table in Latin 1", b'{"image": "f\xfcr.png"}', "cannot be read"),
    tasks("a table of numbers", "1\n2\n", "not an object"),
    tasks("a table of texts", '"happy"\n', "not an object"),
    tasks("a list of numbers for a table", "[1, 2]", "not an object", "tasks.json"),
    tasks("a list cut off for a table", json.dumps([TASK, TASK])[:-1], "not JSON", "tasks.json"),
    tasks("brackets without end in a table", "[" * 200_000, "not JSON"),
    tasks("objects without end in a table", '{"a":' * 200_000, "not JSON"),
    tasks("digits by the thousand in a table", '{"box": ' + "9" * 5000 + "}", "not JSON"),
    tasks("a table of CSV without rows", "image,expression\n", "", "tasks.csv"),
    tasks("bytes for a table of CSV", b"\xff\xfe\0\1" * 50, "", "tasks.csv"),
    tasks("a text for a table of Parquet", "PAR1 and no more", "tasks.parquet", "tasks.parquet"),
]

CASES = [*FORM, *FIELDS, *SCORES, *BOXES, *TABLES]
