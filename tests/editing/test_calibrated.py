"""Calibrated edits: which mixes the model gets, which the files state, and adapters without a calibration."""

import json
import shutil

import numpy as np
import pytest

import pxs
from pxs.batch.presets import read_preset
from pxs.cli import main
from pxs.editing.bundled import BUNDLED
from pxs.editing.calibration import Calibration, find_calibration
from pxs.editing.checkpoints import ADAPTER_FILE
from pxs.errors import AdapterError
from pxs.expressions import Mix
from pxs.images import open_image, read_text

WANTED = [Mix(happy=0.3, sad=0.2), Mix(fear=0.6)]
OWN = BUNDLED["mini"] / ADAPTER_FILE
STEPS = 2


def curves():
    return json.loads((BUNDLED["mini"] / "adapter.calibration.json").read_text())["curves"]


def given(mix):
    """The mix that shows `mix` by the file of mini's adapter."""
    return Mix({n: np.interp(a, curves()[n]["shown"], curves()[n]["asked"]) for n, a in mix.items()})


@pytest.fixture(scope="module")
def portrait():
    return pxs.load("mini").open(pxs.draw(pxs.Identity.sample(400003)))


def equal(first, second):
    return [a.tobytes() for a in first] == [b.tobytes() for b in second]


def test_the_model_gets_the_mixes_of_the_curves_and_the_edits_state_those_that_were_wanted(portrait):
    edits = portrait.edit(WANTED, steps=STEPS, progress=False, calibrated=True)
    assert given(WANTED[1])["fear"] != 0.6
    assert equal(edits, portrait.edit(list(map(given, WANTED)), steps=STEPS, progress=False))
    assert edits.mixes == tuple(WANTED)
    *_, last = portrait.steps(WANTED, steps=STEPS, calibrated=True)
    assert equal(portrait.finish(last, WANTED, calibrated=True), edits)


def test_sweeps_and_blends_are_calibrated_too(portrait):
    sweep = portrait.sweep("shy", [0.4], steps=STEPS, progress=False, calibrated=True)
    assert equal(sweep, portrait.edit(given(Mix(shy=0.4)), steps=STEPS, progress=False))
    blend = portrait.blend("happy", "sad", [0.4], steps=STEPS, progress=False, calibrated=True)
    assert equal(blend, portrait.edit(given(Mix(happy=0.4, sad=0.4)), steps=STEPS, progress=False))


def test_a_file_says_that_it_is_calibrated_and_is_a_preset_of_its_edit(portrait, tmp_path):
    calibrated = portrait.edit(WANTED[0], 7, STEPS, progress=False, calibrated=True)
    plain = portrait.edit(WANTED[0], 7, STEPS, progress=False)
    for name, edits in (("yes", calibrated), ("no", plain)):
        [file] = edits[0:1].save(tmp_path / f"{name}.png")
        said, preset = read_text(file), read_preset(file)
        assert json.loads(said["mix"]) == {"happy": 0.3, "sad": 0.2}
        assert (said["calibrated"] == "no") == (name == "no")
        assert (preset.mixes, preset.seed, preset.steps) == ((WANTED[0],), 7, STEPS)
        again = portrait.edit(preset.mixes, preset.seed, preset.steps, False, preset.calibrated)
        assert equal(again, [open_image(file)])


def test_the_command_keeps_the_flag_from_picture_to_picture(portrait, tmp_path, capsys):
    portrait.source.save(tmp_path / "face.png")
    sampling = ["--steps", str(STEPS), "--seed", "7"]
    common = ["edit", str(tmp_path / "face.png"), "--output-dir"]
    assert main([*common, str(tmp_path / "a"), "--mix", "happy=0.3", "sad=0.2", "--calibrated", *sampling]) == 0
    [first] = (tmp_path / "a").glob("*.png")
    assert main([*common, str(tmp_path / "b"), "--preset", str(first)]) == 0
    [second] = (tmp_path / "b").glob("*.png")
    assert read_text(first) == read_text(second) and open_image(first) == open_image(second)
    assert equal([open_image(first)], portrait.edit(given(WANTED[0]), 7, STEPS, progress=False))
    assert main([*common, str(tmp_path / "a"), "--mix", "happy=0.3", "sad=0.2", *sampling]) == 2
    assert "calibrated" in capsys.readouterr().err


def test_many_pictures_are_calibrated_and_made_anew_under_another_calibration(portrait, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    portrait.source.save(tmp_path / "in" / "face.png")
    for name in (ADAPTER_FILE, "adapter.calibration.json"):
        shutil.copy(BUNDLED["mini"] / name, tmp_path / name)
    command = ["edit", str(tmp_path / "in"), "--output-dir", str(tmp_path / "out"), "--mix", "fear=0.6"]
    command += ["--steps", str(STEPS), "--lora-path", str(tmp_path / ADAPTER_FILE), "--calibrated", "--overwrite"]
    assert main(command) == 0 and main(command) == 0
    assert "0 edited, 1 done before" in capsys.readouterr().out
    [file] = (tmp_path / "out").rglob("*.png")
    assert equal([open_image(file)], portrait.edit(given(WANTED[1]), steps=STEPS, progress=False))
    adapter = Calibration.load(tmp_path / "adapter.calibration.json").adapter
    other = Calibration(adapter, {"fear": [0, 1]}, {"fear": [0, 0.6]})
    (tmp_path / "adapter.calibration.json").write_bytes(other.content())
    assert main(command) == 0
    assert equal([open_image(file)], portrait.edit(Mix(fear=1), steps=STEPS, progress=False))


def test_an_adapter_without_a_calibration_names_the_command_that_makes_one(tmp_path):
    file = tmp_path / "mine.safetensors"
    with pytest.raises(AdapterError, match=rf"analysis\.calibration --lora-path {file}"):
        find_calibration([(file, "hash", 1.0)])
    (tmp_path / "mine.calibration.json").write_bytes(Calibration("other", {}, {}).content())
    with pytest.raises(AdapterError, match="of another adapter"):
        find_calibration([(file, "hash", 1.0)])
    for several in ([], [(file, "hash", 0.5)], [(file, "hash", 1.0), (file, "hash", 1.0)]):
        with pytest.raises(AdapterError, match="one adapter at weight 1"):
            find_calibration(several)


def test_a_model_without_an_adapter_is_refused_before_anything_is_edited(editor):
    with pytest.raises(AdapterError, match="here none"):
        editor.open(pxs.draw(pxs.Identity.sample(1))).steps(["happy"], steps=STEPS, calibrated=True)
