"""Commands, flags, expressions and mixes, settings files, and the form of FFE rows."""

from bad_input import Case

CASES = [
    Case("no command", (), "required: command"),
    Case("an unknown command", ("edti",), "edti"),
    Case("train no data", ("train", "--data", "no.jsonl", "--out", "out"), "no.jsonl"),
]
