"""Other methods of linear control: files that are no weights or of another method, settings that do not apply."""

from bad_input import Case


def bench(method, file, *more):
    return "bench", "--methods", method, "--weights", f"{method}={file}", "--out", "out", *more


def _text(folder):
    (folder / "weights").write_text("nothing")


def _other(folder):
    from pxs.benchmark.methods.context import BUNDLED

    (folder / "weights").write_bytes((BUNDLED / "saedit.safetensors").read_bytes())


def _gst(folder):
    from pxs.benchmark.methods.context import BUNDLED

    (folder / "weights").write_bytes((BUNDLED / "slideredit.safetensors").read_bytes())


def _curve(folder):
    (folder / "weights").write_text('{"adapter": "x", "curves": {"happy": {"asked": [0, 1], "shown": [0, -1]}}}')


def _trained(folder):
    (folder / "weights").write_text("nothing")
    (folder / "people.json").write_text('{"people": [300000]}')


def _adapter(folder):
    from pxs.editing.bundled import BUNDLED
    from pxs.editing.checkpoints import ADAPTER_FILE

    (folder / "mine.safetensors").write_bytes((BUNDLED["mini"] / ADAPTER_FILE).read_bytes())


def _other_adapter(folder):
    _adapter(folder)
    (folder / "mine.calibration.json").write_text('{"adapter": "x", "curves": {}}')


def _damaged_adapter(folder):
    _adapter(folder)
    (folder / "mine.calibration.json").write_text("{")


def edit(*more):
    return "edit", "face.png", "--expression", "happy", "--output-dir", "out", *more


PLAIN = ("--preset", "face.png")
MINE = ("--calibrated", "--lora-path", "mine.safetensors")


def _rows(folder):
    (folder / "rows.jsonl").write_text("{}")


def train(*more):
    return "train", "--data", "rows.jsonl", "--out", "out", "--method", "kslider", *more


CASES = [
    Case("weights that are missing", bench("kslider", "none"), "no file of a method's weights"),
    Case("weights that are a folder", bench("kslider", "."), "no file of a method's weights"),
    Case("weights that are text", bench("kslider", "weights"), "no file of a method's weights", _text),
    Case("weights that are a picture", bench("slideredit", "face.png"), "no file of a method's weights"),
    Case("weights of another method", bench("kslider", "weights"), "weights of 'saedit'", _other),
    Case("weights of GST for ST", bench("slideredit_st", "weights"), "weights of 'slideredit', not of", _gst),
    Case("weights for a method without any", bench("flowslider", "weights"), "is not NAME=FILE"),
    Case("weights without a name", ("bench", "--methods", "kslider", "--weights", "a", "--out", "out"), "NAME=FILE"),
    Case(
        "a method without a calibration",
        ("bench", "--methods", "conceptslider_calibrated", "--out", "out"),
        "measure one with python -m analysis.calibration --method conceptslider",
    ),
    Case("calibrated without an adapter", edit("--calibrated", "--lora-path", "none"), "one adapter at weight 1"),
    Case(
        "an adapter at half, calibrated", edit(*MINE[:2], "mine.safetensors=0.5"), "one adapter at weight 1", _adapter
    ),
    Case("an adapter without calibration", edit(*MINE), "calibration --lora-path mine.safetensors", _adapter),
    Case("many pictures, no calibration", ("edit", ".", *edit(*MINE)[2:]), "has no calibration", _adapter),
    Case("a blend, no calibration", ("blend", "--image-path", "face.png", "--out", "out", *MINE), "no calib", _adapter),
    Case("a calibration of another adapter", edit(*MINE), "is the calibration of another adapter", _other_adapter),
    Case("a damaged calibration", edit(*MINE), "is no calibration", _damaged_adapter),
    Case("an unknown zero", edit("--zero", "face"), "--zero"),
    Case(
        "a preset that is a plain picture",
        ("edit", "face.png", "--preset", "face.png", "--output-dir", "out"),
        "preset",
    ),
    Case("a calibration that is missing", bench("pixelsmile_calibrated", "none"), "no calibration"),
    Case("a calibration that is text", bench("pixelsmile_calibrated", "weights"), "no calibration", _text),
    Case("a calibration that falls", bench("pixelsmile_calibrated", "weights"), "does not rise from 0", _curve),
    Case("weights trained on people of the tasks", bench("kslider", "weights"), "is in the training set", _trained),
    Case("all methods twice", ("bench", "--methods", "all", "all", "--out", "out"), "named twice"),
    Case("an unknown method to train", train("--method", "slider"), "invalid choice"),
    Case("a start for another method", train("--set", "start=default"), "are not for method", _rows),
    Case("samples of another method", train("--set", "sample_every=5"), "set 0", _rows),
]
