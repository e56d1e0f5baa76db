"""Numbers that no flag takes: each kind of number against the flags of every command that has one."""

from bad_input import Case

EDIT = ("edit", "--image-path", "face.png", "--output-dir", "out", "--expression", "happy")
BENCH = ("bench", "--methods", "source", "--out", "out")
TRAIN = ("train", "--data", "rows.jsonl", "--out", "out")
FACES = ("faces", "--out", "out")
BLEND = ("blend", "--image-path", "face.png", "--out", "out")
DIGITS = "9" * 5000

WORDS = ("seven", "", "7.5", "1e3", "0x7", "1_000", "٧", "nan", DIGITS + "x")
"""Texts that are no whole number."""
NO_REALS = ("much", "", "nan", "inf", "-inf", "1,5", "1_0", "٧", "0x1")
"""Texts that are no finite number."""

WHOLE = {
    "edit --seed": ((*EDIT, "--seed"), "seed", ("-1", str(2**64), DIGITS)),
    "edit --steps": ((*EDIT, "--steps"), "steps", ("0", "-1", "1001", str(10**9), DIGITS)),
    "edit --workers": ((*EDIT, "--workers"), "workers", ("0", "-2", "257", DIGITS)),
    "blend --seed": ((*BLEND, "--seed"), "seed", ("-1", str(2**64), DIGITS)),
    "blend --steps": ((*BLEND, "--steps"), "steps", ("0", str(10**9))),
    "bench --tasks": ((*BENCH, "--tasks"), "tasks", ("0", "-1", str(10**9), DIGITS)),
    "bench --seed": ((*BENCH, "--seed"), "seed", ("-1", str(2**64))),
    "bench --steps": ((*BENCH, "--steps"), "steps", ("0", str(10**9))),
    "train --steps": ((*TRAIN, "--steps"), "steps", ("0", "-1", str(10**12), DIGITS)),
    "train --seed": ((*TRAIN, "--seed"), "seed", ("-1", str(2**64), DIGITS)),
    "faces --count": ((*FACES, "--count"), "count", ("0", "-1", str(10**9), DIGITS)),
    "faces --size": ((*FACES, "--size"), "size", ("0", "15", "100000", DIGITS)),
    "faces --seed": ((*FACES, "--seed"), "seed", ("-1", str(2**64))),
    "faces --ffe": ((*FACES, "--ffe"), "number of rows", ("0", "-1", str(10**9), DIGITS)),
}
REAL = {
    "edit --scales": ((*EDIT, "--scales"), "scale", ("1e7", "-1e7", "1e300", DIGITS)),
    "edit --reuse": ((*EDIT, "--reuse"), "reuse", ("-0.1", "1", "1e300")),
    "blend --intensity": ((*BLEND, "--intensity"), "intensity", ("1e7", "1e300")),
    "blend --present": ((*BLEND, "--present"), "present", ("-0.1", "1.1", "1e300")),
    "blend --identity": ((*BLEND, "--identity"), "identity", ("-1.1", "1.1", "1e300")),
    "faces --blends": ((*FACES, "--ffe", "2", "--blends"), "blends", ("-0.1", "1.1", "1e300")),
}
SETTINGS = {
    "rank": ("0", "-1", "1.5", str(10**9), '"8"', "true", "null", DIGITS),
    "batch": ("0", "2.5", str(10**9), "true"),
    "lr": ("-1", "NaN", "1e300", '"fast"', DIGITS),
    "shift": ("0", "-1", "NaN", "1e300"),
    "validation": ("-0.1", "1", "NaN"),
    "seed": ("-1", str(2**64), "0.5"),
    "save_every": ("1.5", "-1"),
}


def _case(flag: str, value: str, command: tuple[str, ...], says: str) -> Case:
    short = value if len(value) < 30 else f"{value[:3]}... of {len(value)} characters"
    return Case(f"{flag} {short!r}", (*command[:-1], f"{command[-1]}={value}"), says)


CASES = [
    *(_case(f, v, command, name) for f, (command, name, wrong) in WHOLE.items() for v in (*wrong, *WORDS)),
    *(_case(f, v, command, name) for f, (command, name, wrong) in REAL.items() for v in (*wrong, *NO_REALS)),
    *(
        Case(f"train --set {name}={v[:20]}", (*TRAIN, "--set", f"{name}={v}"), name)
        for name, wrong in SETTINGS.items()
        for v in wrong
    ),
    *(Case(f"a mix of {v!r}", (*EDIT[:-2], "--mix", f"happy={v}"), "happy") for v in (*NO_REALS, "1e7", "1e300")),
    *(
        Case(f"a weight of {v!r}", ("info", "--lora-path", f"a.safetensors={v}"), "weight of")
        for v in (*NO_REALS, "1e7")
    ),
]
