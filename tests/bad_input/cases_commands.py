"""Commands and flags: names that do not exist, values that are missing, and what excludes each other."""

from bad_input import Case

NEEDED = {
    "edit": {"--image-path": ("face.png",), "--output-dir": ("out",), "--expression": ("happy",)},
    "blend": {"--image-path": ("face.png",), "--out": ("out",)},
    "faces": {"--out": ("out",)},
    "train": {"--data": ("rows.jsonl",), "--out": ("out",)},
    "bench": {"--methods": ("truth",), "--out": ("out",)},
    "app": {},
    "notebooks": {"--out": ("out",)},
    "download": {},
    "info": {},
}
"""The flags that a command needs, and sound values."""


def command(name, *more, **changed):
    """A command with what it needs; `changed` flags have other values, None leaves one out."""
    values = {**NEEDED[name], **{f"--{flag.replace('_', '-')}": value for flag, value in changed.items()}}
    flags = [word for flag, given in values.items() if given is not None for word in (flag, *given)]
    return name, *flags, *more


def edit(*more, **changed):
    return command("edit", *more, **changed)


def mix(*words):
    return command("edit", "--mix", *words, expression=None)


WORDS = [
    Case("no command", (), "required: command"),
    Case("a misspelt command", ("edti",), "'edti'"),
    Case("an empty command", ("",), "invalid choice: ''"),
    Case("a command in capitals", ("EDIT",), "'EDIT'"),
    Case("a command with a line end", ("edit\nblend",), "invalid choice"),
    Case("two commands", ("edit", "blend"), "required"),
    Case("a flag before the command", ("--image-path", "face.png", "edit"), "invalid choice"),
    Case("a flag that exists nowhere", ("--versoin",), "required: command"),
    Case("a short flag", ("-x",), "required: command"),
    Case("a shortened flag of many meanings", edit("--s", "1"), "ambiguous option"),
    Case("a word too many for edit", edit("other.png"), "'other.png' does not exist"),
    Case("a word too many for info", ("info", "mini"), "unrecognized arguments: mini"),
    Case("a word with a line end too many", ("info", "a\nb"), "unrecognized arguments"),
    Case("an unknown flag with a line end", ("info", "--a\r\nb"), "unrecognized arguments"),
    Case("an unknown flag with a separator of lines", ("info", "--a\u2028b"), "unrecognized arguments"),
    Case("an unknown flag with colours", ("info", "--\x1b[31mred"), "unrecognized arguments"),
    Case("a flag with a long dash", ("info", "—estimate"), "unrecognized arguments"),
    Case("a switch with a value", ("info", "--estimate=yes"), "ignored explicit argument 'yes'"),
    *(Case(f"{name} with an unknown flag", command(name, "--colour", "red"), "--colour") for name in NEEDED),
    *(
        Case(f"{name} without {flag}", command(name, **{flag[2:].replace("-", "_"): None}), flag)
        for name, flags in NEEDED.items()
        for flag in flags
        if flag != "--expression"
    ),
    *(
        Case(f"{name} {flag} without a value", command(name, flag), "expected")
        for name, flags in {
            "edit": ("--image-path", "--output-dir", "--expression", "--mix", "--face-box", "--recipe", "--lora-path"),
            "blend": ("--rule", "--intensity", "--expression-judge", "--judge-url"),
            "faces": ("--style", "--ffe", "--mix"),
            "train": ("--config", "--set", "--recipe"),
            "bench": ("--methods", "--bench", "--identity-judge"),
            "app": ("--port", "--host", "--token", "--upload-limit", "--pixel-limit"),
            "download": ("--model", "--revision"),
            "info": ("--model-path", "--memory"),
        }.items()
        for flag in flags
    ),
]

CHOICES = [
    Case("an unknown kind of face", edit(data_type=("robot",)), "'robot'"),
    Case("an empty kind of face", edit(data_type=("",)), "invalid choice: ''"),
    Case("an unknown kind of portrait", command("faces", style=("painted",)), "'painted'"),
    Case("an unknown recipe of a training", command("train", recipe=("full",)), "'full'"),
    Case("an unknown dtype", command("bench", dtype=("float16",)), "'float16'"),
    Case("an unknown recipe", edit(recipe=("mine",)), "unknown recipe 'mine'"),
    Case("an empty recipe", edit(recipe=("",)), "unknown recipe ''"),
    Case("a recipe with a line end", edit(recipe=("a\nb",)), "unknown recipe"),
    Case("an unknown recipe for info", ("info", "--recipe", "mine"), "unknown recipe 'mine'"),
    Case("an unknown schedule", edit(schedule=("slow",)), "unknown schedule 'slow'"),
    Case(
        "a schedule that does not fit the recipe", edit(schedule=("few",), recipe=("published",)), "no schedule 'few'"
    ),
    Case("an unknown memory mode", edit(memory=("int4",)), "'int4'"),
    Case("an empty memory mode", ("info", "--memory", ""), "''"),
    Case("an unknown attention", edit(attention=("flsh",)), "'flsh'"),
    Case("a face box for the recipe fitted", edit("--face-box", "0", "0", "64", "64"), "'fitted'"),
    Case("a face box of three numbers", edit("--face-box", "0", "0", "64"), "expected 4 arguments"),
    Case("an unknown rule", command("blend", rule=("product",)), "unknown rule 'product'"),
    Case("an empty rule", command("blend", rule=("",)), "unknown rule ''"),
    Case("a rule with a line end", command("blend", rule=("sum\n",)), "unknown rule"),
    Case("an unknown method", command("bench", methods=("magic",)), "unknown method 'magic'"),
    Case("an empty method", command("bench", methods=("",)), "unknown method ''"),
    Case("a method with a line end", command("bench", methods=("truth\n",)), "unknown method"),
    Case("an unknown split", command("bench", split=("train",)), "'train'"),
    Case("a method named twice", command("bench", methods=("truth", "source", "truth")), "named twice"),
    Case("a revision of two repositories", ("download", "--revision", "v1"), "--model or --adapter"),
]

EXPRESSIONS = [
    Case("no expression", edit(expression=None), "no expression"),
    Case("a misspelt expression", edit(expression=("hapy",)), "did you mean 'happy'"),
    Case("an expression in capitals", edit(expression=("HAPPY",)), "did you mean 'happy'"),
    Case("an expression with a blank", edit(expression=("happy ",)), "did you mean 'happy'"),
    Case("an expression with a line end", edit(expression=("happy\n",)), "did you mean 'happy'"),
    Case("an expression with a foreign letter", edit(expression=("h\u0430ppy",)), "unknown expression"),
    Case("an empty expression", edit(expression=("",)), "unknown expression ''"),
    Case("neutral with scales", edit("--scales", "1", expression=("neutral",)), "neutral has no intensity"),
    Case("a very long expression", edit(expression=("x" * 100_000,)), "unknown expression"),
    Case("an expression that is code", edit(expression=("{0.__class__}%s",)), "unknown expression"),
    Case("two expressions", edit(expression=("happy", "sad")), "'sad' does not exist"),
    Case("an expression and a mix", edit("--mix", "sad=1"), "exclude each other"),
    Case("scales and a mix", edit("--scales", "1", "--mix", "sad=1", expression=None), "exclude each other"),
    Case("scales without an expression", edit("--scales", "1", expression=None), "no expression"),
    Case("scales without a value", edit("--scales"), "no scales"),
]

MIXES = [
    Case("a mix without an equals sign", mix("happy"), "'happy' is not NAME=INTENSITY"),
    Case("an empty word in a mix", mix(""), "'' is not NAME=INTENSITY"),
    Case("a mix without an intensity", mix("happy="), "''"),
    Case("a mix without a name", mix("=1"), "unknown expression ''"),
    Case("a mix with two equals signs", mix("happy==1"), "'=1'"),
    Case("a mix with a word for a number", mix("happy=very"), "'very'"),
    Case("a mix with a comma in a number", mix("happy=0,7"), "'0,7'"),
    Case("a mix in percent", mix("happy=70%"), "'70%'"),
    Case("a mix that is not a number", mix("happy=nan"), "'nan'"),
    Case("an infinite mix", mix("happy=-inf"), "'-inf'"),
    Case("a mix of an unknown expression", mix("happy=1", "joyful=1"), "unknown expression 'joyful'"),
    Case("a mix with neutral in it", mix("neutral=1"), "unknown expression 'neutral'"),
    Case("a mix with a blank in a name", mix(" happy=1"), "' happy'"),
    Case("a mix in one word", mix("happy=0.7,sad=0.5"), "'0.7,sad=0.5'"),
    Case("a mix that names one expression twice", mix("happy=1", "happy=1"), "'happy' is given twice"),
    Case("a mix with a line end", mix("happy\n=1"), "unknown expression"),
    Case("a mix in JSON", mix('{"happy": 1}'), "is not NAME=INTENSITY"),
    Case("faces with a wrong mix", command("faces", mix=("hapy=1",)), "did you mean 'happy'"),
    Case("faces with a mix without an equals sign", command("faces", mix=("sad",)), "is not NAME=INTENSITY"),
    Case("a set with a mix", command("faces", ffe=("4",), mix=("sad=1",)), "leave out --mix"),
    Case("a set with a count", command("faces", ffe=("4",), count=("2",)), "--count"),
    Case("a set of a foreign style", command("faces", ffe=("4",), style=("rendered",)), "'rendered'"),
]

CASES = [*WORDS, *CHOICES, *EXPRESSIONS, *MIXES]
