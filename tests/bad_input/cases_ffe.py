"""Building a data set: stages without the one before, cut manifests, pictures that moved, bad files of people."""

import json
from pathlib import Path

from bad_input import Case
from ffe_sets import tiny_set
from PIL import Image

from pxs.ffe.annotate import Label
from pxs.ffe.asking import Effort, plan_questions, read_asked
from pxs.ffe.manifest import read
from pxs.ffe.pages import write_pages

DEEP = "[" * 100_000


def of_stages(stages: int, change=lambda out: None):
    def make(folder: Path) -> None:
        change(tiny_set(folder, stages))

    return make


def cut(name: str, keep: float = 0.5):
    def change(out: Path) -> None:
        file = out / name
        content = file.read_bytes()
        file.write_bytes(content[: int(keep * len(content))])

    return change


def replaced(name: str, content: str):
    return lambda out: (out / name).write_text(content)


def without_a_line(name: str):
    def change(out: Path) -> None:
        lines = (out / name).read_text().splitlines(keepends=True)
        (out / name).write_text("".join(lines[:-1]))

    return change


def line_changed(name: str, **changes):
    def change(out: Path) -> None:
        head, first, *rest = (out / name).read_text().splitlines()
        first = json.dumps({**json.loads(first), **changes})
        (out / name).write_text("\n".join([head, first, *rest, ""]))

    return change


def picture_moved(out: Path) -> None:
    next((out / "pictures").rglob("*.png")).unlink()


def source_moved(out: Path) -> None:
    next((out / "sources").glob("*.png")).unlink()


def asked(out: Path) -> None:
    write_pages(plan_questions(read(out, "labels", Label), Effort(2, 1.0, 0.5), 0), out)


def answered(text=None, **changed):
    """A file a.json of one person with one answer."""

    def change(out: Path) -> None:
        asked(out)
        key = read_asked(out)
        rater, items = next(iter(key.raters.items()))
        said = {"item": items[0], "verdict": "accepted", "at": "2026-05-01T10:00:00Z", "seconds": 1, **changed}
        content = json.dumps({"study": key.study, "rater": rater, "answers": [said]}) if text is None else text
        (out.parent / "a.json").write_text(content)

    return change


def asked_then(change):
    def both(out: Path) -> None:
        asked(out)
        change(out)

    return both


def blank_people(folder: Path) -> None:
    (folder / "in").mkdir()
    Image.new("RGB", (64, 64), "grey").save(folder / "in" / "a.png")


def terms(text: str):
    def make(folder: Path) -> None:
        (folder / "t.csv").write_text(text)

    return make


def collect(*more: str, pictures="face.png"):
    return ("ffe", "collect", pictures, "--out", "out", "--identity-judge", "none", *more)


def generate(*more: str):
    return ("ffe", "generate", "set", "--method", "truth", *more)


def annotate(*more: str):
    return ("ffe", "annotate", "set", "--identity-judge", "none", "--judges", *(more or ("truth",)))


VERIFY = ("ffe", "verify", "set", "a.json")
BUILD = ("ffe", "build", "set")
CASES = [
    Case("a data set without a step", ("ffe",), "step"),
    Case("an unknown step of a data set", ("ffe", "publish"), "'publish'"),
    Case("collecting nothing that is there", collect(pictures="gone"), "'gone' does not exist"),
    Case("collecting without a face", collect(pictures="in"), "none of 1 pictures is kept (no face: 1)", blank_people),
    Case("collecting faces that are too small", collect("--size", "5000"), "face too small"),
    Case("a face size of words", collect("--size", "big"), "face size 'big'"),
    Case("a turn below 0", collect("--turn", "-1"), "turn -1 is too small"),
    Case("a cosine of 2", collect("--same", "2"), "cosine 2 is too large"),
    Case("a recogniser that is none", collect("--identity-judge", "eyes"), "unknown identity judge 'eyes'"),
    Case("rejecting nobody", collect("--size", "16", "--sharpness", "0", "--reject", "nobody"), "the name 'nobody'"),
    Case("terms that are not there", collect("--terms", "t.csv"), "'t.csv' cannot be read"),
    Case("terms without a licence", collect("--terms", "t.csv"), "line 2", terms("file,origin\na,b\n")),
    Case("terms of bytes", collect("--terms", "face.png"), "cannot be read"),
    Case("collecting into a file", ("ffe", "collect", "face.png", "--out", "face.png"), "face.png"),
    Case("prompts by a judge of pictures", ("ffe", "compose", "out", "--judge", "mini"), "cannot be asked in words"),
    Case("prompts by no endpoint", ("ffe", "compose", "out", "--judge", "endpoint"), "give --judge-url"),
    Case("no prompts at all", ("ffe", "compose", "out", "--most", "0"), "prompts 0 is too small"),
    Case("generating without people", generate(), "run 'pxs ffe collect' first"),
    Case("generating by nobody", ("ffe", "generate", "set"), "--method"),
    Case("generating by an unknown method", ("ffe", "generate", "set", "--method", "zz"), "'zz'", of_stages(2)),
    Case("generating with a source gone", generate(), "is gone: run 'pxs ffe collect'", of_stages(2, source_moved)),
    Case("generating from cut identities", generate(), "identities.jsonl, line", of_stages(2, cut("identities.jsonl"))),
    Case("generating from cut prompts", generate(), "prompts.jsonl, line", of_stages(2, cut("prompts.jsonl"))),
    Case("generating from an empty manifest", generate(), "no manifest", of_stages(2, cut("prompts.jsonl", 0))),
    Case("no attempts", generate("--attempts", "0"), "attempts 0 is too small", of_stages(2)),
    Case("workers without Ray", generate("--workers", "2"), "give --engine ray", of_stages(2)),
    Case("an unknown engine of a stage", annotate("truth", "--engine", "spark"), "'spark'", of_stages(3)),
    Case("annotating without pictures", annotate(), "run 'pxs ffe generate' first", of_stages(2)),
    Case("annotating with a picture gone", annotate(), "is gone or was changed", of_stages(3, picture_moved)),
    Case(
        "annotating half a manifest",
        annotate(),
        "3 of 4 records: run 'pxs ffe generate' again",
        of_stages(3, without_a_line("pictures.jsonl")),
    ),
    Case("annotating a deep manifest", annotate(), "no manifest", of_stages(3, replaced("pictures.jsonl", DEEP))),
    Case("a manifest of numbers", annotate(), "asked is 'x'", of_stages(3, line_changed("pictures.jsonl", asked="x"))),
    Case("a judge that is none", annotate("oracle"), "unknown expression judge 'oracle'", of_stages(3)),
    Case("a judge twice", annotate("truth", "truth"), "'truth' is named twice", of_stages(3)),
    Case("an endpoint without an address", annotate("endpoint"), "needs an address", of_stages(3)),
    Case(
        "the truth of edits",
        annotate(),
        "its truth is not known",
        of_stages(3, line_changed("pictures.jsonl", method={"generator": "base"})),
    ),
    Case("asking without labels", ("ffe", "ask", "set"), "run 'pxs ffe annotate' first", of_stages(3)),
    Case("asking about nothing", ("ffe", "ask", "set", "--share", "0"), "a larger --share", of_stages(4)),
    Case("asking nobody", ("ffe", "ask", "set", "--raters", "0"), "raters 0 is too small", of_stages(4)),
    Case("an overlap above 1", ("ffe", "ask", "set", "--overlap", "1.5"), "overlap 1.5 is too large", of_stages(4)),
    Case("asking again", ("ffe", "ask", "set"), "holds questions already", of_stages(4, asked)),
    Case("serving no questions", ("ffe", "serve", "set", "--port", "0"), "run 'pxs ffe ask' first", of_stages(4)),
    Case("serving a cut key", ("ffe", "serve", "set"), "not the key", of_stages(4, asked_then(cut("verify/key.json")))),
    Case("verifying nothing", ("ffe", "verify", "set"), "nobody has answered yet", of_stages(4, asked)),
    Case("verifying a missing file", ("ffe", "verify", "set", "gone.json"), "gone.json", of_stages(4, asked)),
    Case("verdicts that are cut", VERIFY, "a.json is not JSON", of_stages(4, answered('{"study": "x", "ans'))),
    Case("verdicts without end", VERIFY, "a.json is not JSON", of_stages(4, answered(DEEP))),
    Case("a verdict of maybe", VERIFY, "verdict 'maybe'", of_stages(4, answered(verdict="maybe"))),
    Case("a correction without scores", VERIFY, "scores None", of_stages(4, answered(verdict="corrected"))),
    Case("a verdict of yesterday", VERIFY, "'yesterday' is no moment", of_stages(4, answered(at="yesterday"))),
    Case("verdicts on something else", VERIFY, "was not asked of", of_stages(4, answered(item="0000000000"))),
    Case("building without labels", BUILD, "run 'pxs ffe annotate' first", of_stages(3)),
    Case("building from unknown scores", (*BUILD, "--use", "best"), "unknown scores 'best'", of_stages(4)),
    Case("building what nobody verified", (*BUILD, "--use", "verified"), "run 'pxs ffe verify' first", of_stages(4)),
    Case("building from cut labels", BUILD, "labels.jsonl, line", of_stages(4, cut("labels.jsonl"))),
    Case("building with a picture gone", BUILD, "is gone or was changed", of_stages(4, picture_moved)),
    Case("a test share above 1", (*BUILD, "--test", "1.1"), "test 1.1 is too large", of_stages(4)),
]
