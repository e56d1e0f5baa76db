"""Studies: benches without what a study needs, cut keys, bad files of raters, and addresses that cannot be used."""

import json
import socket
from pathlib import Path

from bad_input import Case
from PIL import Image

from pxs.expressions import Mix
from pxs.study.bench import ALPHAS, read_bench
from pxs.study.key import write_key
from pxs.study.plan import Size, plan_study

DEEP = "[" * 100_000
TAKEN = socket.socket()  # each process that reads this file has its own
TAKEN.bind(("127.0.0.1", 0))
TAKEN.listen()
PORT = str(TAKEN.getsockname()[1])


def edits(folder: Path, *methods: str, tasks: int = 3) -> None:
    for method in methods:
        for number in range(tasks):
            task = folder / "b" / "edits" / method / f"t{number}"
            task.mkdir(parents=True)
            files = [f"{Mix(happy=alpha).slug}.png" for alpha in ALPHAS]
            for file in files:
                Image.new("RGB", (16, 16)).save(task / file)
            (task / "edits.json").write_text(json.dumps({"key": "k", "files": files, "error": "", "provenance": {}}))


def bench(*methods: str, tasks: int = 3):
    return lambda folder: edits(folder, *methods, tasks=tasks)


def damaged_bench(name: str, content: bytes):
    def make(folder: Path) -> None:
        edits(folder, "source", "m")
        for file in (folder / "b" / "edits" / "m").glob(f"*/{name}"):
            file.write_bytes(content)

    return make


def study(folder: Path) -> dict:
    """A study in s, and what its first rater would send."""
    edits(folder, "source", "m", "n")
    key = plan_study(read_bench(folder / "b"), Size(2), 1).key
    (folder / "s" / "pages").mkdir(parents=True)
    write_key(key, folder / "s")
    rater, asked = next(iter(key.raters.items()))
    answers = [{"item": name, "continuity": 3, "identity": 3, "seconds": 1} for name in asked]
    return {"study": key.study, "rater": rater, "answers": answers}


def sent(change=lambda said: said, text=None):
    def make(folder: Path) -> None:
        said = change(study(folder))
        (folder / "a.json").write_text(json.dumps(said) if text is None else text)

    return make


def without(name: str):
    return sent(lambda said: {key: value for key, value in said.items() if key != name})


def first(**changed):
    return sent(lambda said: {**said, "answers": [{**said["answers"][0], **changed}, *said["answers"][1:]]})


def two_files(folder: Path) -> None:
    said = study(folder)
    (folder / "a.json").write_text(json.dumps(said))
    said["answers"][0]["identity"] = 4
    (folder / "c.json").write_text(json.dumps(said))


def key_of(content):
    def make(folder: Path) -> None:
        study(folder)
        file = folder / "s" / "key.json"
        file.write_text(content(file.read_text()))

    return make


def database(content: bytes):
    def make(folder: Path) -> None:
        study(folder)
        (folder / "s" / "answers.sqlite").write_bytes(content)

    return make


def make(*more: str, folder="b", raters="2"):
    return ("study", "make", folder, "--out", "s", "--raters", raters, *more)


def score(*more: str, out="out"):
    return ("study", "score", "s", *more, "--out", out)


def serve(*more: str):
    return ("study", "serve", "s", "--port", "0", *more)


BOTH = bench("source", "m")
CASES = [
    Case("a study without a step", ("study",), "step"),
    Case("an unknown step of a study", ("study", "ask"), "'ask'"),
    Case("a study of a missing bench", make(folder="gone"), "holds no edits"),
    Case("a study of a picture", make(folder="face.png"), "holds no edits"),
    Case("a study of an empty path", make(folder=""), "an empty path"),
    Case("a study without raters", ("study", "make", "b", "--out", "s"), "--raters", BOTH),
    Case("a study of no raters", make(raters="0"), "raters 0 is too small", BOTH),
    Case("a study of half a rater", make(raters="1.5"), "raters '1.5'", BOTH),
    Case("a study of very many raters", make(raters="9" * 30), "too large", BOTH),
    Case("a study of no questions", make("--questions", "0"), "questions 0 is too small", BOTH),
    Case("a study of no faces", make("--faces", "0"), "faces 0 is too small", BOTH),
    Case("a study of pairs below 0", make("--pairs", "-1"), "pairs", BOTH),
    Case("a study with a word as seed", make("--seed", "x"), "seed 'x'", BOTH),
    Case("a study of an unknown method", make("--methods", "zz"), "no method 'zz'", BOTH),
    Case("a study of a method that is a path", make("--methods", "../m"), "no method '../m'", BOTH),
    Case("a study of the references alone", make(), "no methods to compare", bench("source", "truth")),
    Case("a study without portraits", make(), "has no portraits", bench("m")),
    Case("a study of one face", make(), "at least 2 faces", bench("source", "m", tasks=1)),
    Case("choices with one method", make("--pairs", "2"), "the only method", BOTH),
    Case("a study of cut manifests", make(), "no task that all", damaged_bench("edits.json", b'{"key": "k", "fil')),
    Case("a study of deep manifests", make(), "no task that all", damaged_bench("edits.json", DEEP.encode())),
    Case("a study of empty pictures", make(), "a picture of the bench", damaged_bench("happy_0.4.png", b"")),
    Case("a study in a file", ("study", "make", "b", "--out", "face.png", "--raters", "2"), "is a file", BOTH),
    Case("a study in the place of another", make(), "holds a study already", lambda folder: study(folder) and None),
    Case("scores of no study", score(), "holds no study"),
    Case("scores without answers", score(), "there are no answers", lambda folder: study(folder) and None),
    Case("scores of a missing file", score("gone.json"), "gone.json cannot be read", sent()),
    Case("scores of a folder as a file", score("b"), "b cannot be read", sent()),
    Case("scores of a picture as answers", score("face.png"), "face.png cannot be read", sent()),
    Case("answers that are cut", score("a.json"), "a.json is not JSON", sent(text='{"study": "x", "ans')),
    Case("answers nested without end", score("a.json"), "a.json is not JSON", sent(text=DEEP)),
    Case("answers of megabytes", score("a.json"), "no file of answers", sent(text=" " * 5_000_001)),
    Case("answers that are a list", score("a.json"), "no file of answers", sent(lambda said: [said])),
    Case("answers without their study", score("a.json"), "belongs to another study", without("study")),
    Case("answers without their rater", score("a.json"), "rater 'None'", without("rater")),
    Case("answers without answers", score("a.json"), "no file of answers", without("answers")),
    Case("an answer to a foreign item", score("a.json"), "none of this study", first(item="0000000000")),
    Case("an answer to a list", score("a.json"), "names no item", first(item=["x"])),
    Case("a rating of 0", score("a.json"), "continuity 0", first(continuity=0)),
    Case("a rating of thousands of digits", score("a.json"), "is not JSON", sent(text="9" * 5000)),
    Case("a rating that is missing", score("a.json"), "identity None", first(identity=None)),
    Case("seconds that are NaN", score("a.json"), "seconds nan", first(seconds=float("nan"))),
    Case("a rater twice, differently", score("a.json", "c.json"), "differently", two_files),
    Case("raters who fail the checks", score("a.json"), "no rater has 75%", sent()),
    Case("scores with a bench without records", score("a.json", "--bench", "b"), "no records", sent()),
    Case("a key that is cut", score("a.json"), "key.json is not JSON", key_of(lambda text: text[: len(text) // 2])),
    Case("an empty key", serve(), "key.json is not JSON", key_of(lambda text: "")),
    Case("a key that is a number", serve(), "not the key that was written", key_of(lambda text: "3")),
    Case("a key without an item", serve(), "not the key", key_of(lambda text: text.replace('"items"', '"things"'))),
    Case("answers in no database", score(), "answers.sqlite cannot be read", database(b"no database " * 99)),
    Case("a served study in no database", serve(), "answers.sqlite cannot be used", database(b"no database " * 99)),
    Case("serving no study", serve(), "holds no study"),
    Case("a port of words", ("study", "serve", "s", "--port", "http"), "port 'http'", sent()),
    Case("a port beyond all", ("study", "serve", "s", "--port", "65536"), "port 65536 is too large", sent()),
    Case("a port that is taken", ("study", "serve", "s", "--port", PORT), "cannot be listened on", sent()),
    Case("an address that is none", serve("--host", "no.such.host.invalid"), "cannot be listened on", sent()),
    Case("an address of another machine", serve("--host", "192.0.2.1"), "cannot be listened on", sent()),
]
