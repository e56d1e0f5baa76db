"""Settings of a training: files that are no JSON object, unknown names, values of a wrong kind."""

import json
import os

from bad_input import Case


def config(name, content, says="'settings.json'"):
    """A case whose settings.json has this content: text, bytes, or anything as JSON."""

    def make(folder):
        given = content if isinstance(content, (bytes, str)) else json.dumps(content)
        (folder / "settings.json").write_bytes(given.encode() if isinstance(given, str) else given)

    return Case(name, ("train", "--data", "rows.jsonl", "--out", "out", "--config", "settings.json"), says, make)


def given(name, *words, says=""):
    return Case(name, ("train", "--data", "rows.jsonl", "--out", "out", "--set", *words), says)


FILES = [
    Case("no settings file", ("train", "--data", "r", "--out", "o", "--config", "no.json"), "'no.json'"),
    Case("a picture for settings", ("train", "--data", "r", "--out", "o", "--config", "face.png"), "'face.png'"),
    Case("a folder for settings", ("train", "--data", "r", "--out", "o", "--config", "."), "'.'"),
    Case("a device for settings", ("train", "--data", "r", "--out", "o", "--config", "/dev/zero"), "'/dev/zero'"),
    Case(
        "a pipe for settings",
        ("train", "--data", "r", "--out", "o", "--config", "pipe"),
        "'pipe'",
        lambda folder: os.mkfifo(folder / "pipe"),
    ),
    config("empty settings", ""),
    config("blank settings", " \n\t\n"),
    config("settings cut off", '{"steps": 8, "ran'),
    config("settings with a comma too many", '{"steps": 8,}'),
    config("settings with a comment", '{"steps": 8} // few'),
    config("settings in quotes of Python", "{'steps': 8}"),
    config("settings in YAML", "steps: 8\nrank: 4\n"),
    config("two settings objects", '{"steps": 8}\n{"rank": 4}\n'),
    config("settings in Latin 1", '{"model": "f\xfcr"}'.encode("latin-1")),
    config("settings in UTF-16", '{"steps": 8}'.encode("utf-16")),
    config("settings with a NUL", b'{"steps": 8}\0'),
    config("settings in brackets without end", "[" * 200_000),
    config("settings in objects without end", '{"a":' * 200_000),
    config("a digit by the thousand in settings", '{"steps": ' + "9" * 5000 + "}"),
    config("settings that are a list", [{"steps": 8}], "object"),
    config("settings that are a number", 8, "object"),
    config("settings that are a text", '"steps"', "object"),
    config("settings that are null", "null", "object"),
    config("settings that are true", "true", "object"),
]

VALUES = [
    config("an unknown setting", {"stepz": 8}, "stepz"),
    config("an empty name of a setting", {"": 8}, "unknown settings"),
    config("a setting with a line end", {"a\nb": 8}, "unknown settings"),
    config("settings inside settings", {"settings": {"steps": 8}}, "unknown settings"),
    config("a setting that is null", {"model": None}, "model"),
    config("a text for a number", {"rank": "8"}, "rank '8'"),
    config("a list for a number", {"rank": [8]}, "rank [8]"),
    config("an object for a number", {"lr": {"value": 1}}, "lr"),
    config("true for a number", {"batch": True}, "batch True"),
    config("a fraction for a whole number", {"batch": 2.5}, "batch 2.5"),
    config("a number for a text", {"contrast": 1}, "contrast 1"),
    config("a list for a text", {"model": ["mini"]}, "model"),
    config("a number for a switch", {"checkpointing": 1}, "checkpointing 1"),
    config("a text for a switch", {"compile": "no"}, "compile 'no'"),
    config("a setting of NaN", '{"lr": NaN}', "lr nan"),
    config("a setting of Infinity", '{"clip": Infinity}', "clip inf"),
    config("a setting of 1e999", '{"clip": 1e999}', "clip inf"),
    config("an unknown contrast", {"contrast": "both"}, "choose from"),
    config("an unknown form", {"form": "mse"}, "choose from"),
    config("an unknown precision", {"precision": "fp8"}, "choose from"),
    config("an unknown recipe in settings", {"recipe": "full"}, "choose from"),
    config("a long text for a number", {"rank": "8" * 100_000}, "rank"),
    config("a text of many lines for a choice", {"form": "a\nb\rc\u2028d"}, "form"),
]

WORDS = [
    given("a setting without an equals sign", "rank", says="'rank' is not NAME=VALUE"),
    given("an empty word for a setting", "", says="is not NAME=VALUE"),
    given("a setting without a name", "=8", says="unknown settings"),
    given("a setting without a value", "rank=", says="rank ''"),
    given("a word for a number", "rank=big", says="rank 'big'"),
    given("a setting of a list", "rank=[8]", says="rank [8]"),
    given("a setting of an object", 'rank={"a": 1}', says="rank"),
    given("a setting of null", "model=null", says="model None"),
    given("a setting of an unknown name", "rnak=8", says="rnak"),
    given("a setting with a blank", "rank =8", says="unknown settings"),
    given("digits by the thousand for a setting", "rank=" + "1" * 5000, says="rank"),
    given("brackets without end for a setting", "rank=" + "[" * 100_000, says="rank"),
    given("objects without end for a setting", "rank=" + '{"a":' * 20_000, says="rank"),
    given("the second of two settings is wrong", "rank=8", "batch=x", says="batch 'x'"),
    given("a switch in capitals", "compile=True", says="compile 'True'"),
    Case(
        "two recipes",
        ("train", "--data", "rows.jsonl", "--out", "out", "--recipe", "mini", "--set", "recipe=pixelsmile"),
        "rows.jsonl",
    ),
]

CASES = [*FILES, *VALUES, *WORDS]
