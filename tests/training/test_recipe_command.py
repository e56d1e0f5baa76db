"""The recipe on the command line and in saved states: told, resumed, or refused in one line."""

import json
from dataclasses import asdict

import pytest
from huggingface_hub import constants

from pxs.cli import main
from pxs.data.ffe import write
from pxs.errors import TrainingError
from pxs.storage.states import TrainingStates
from pxs.training.resuming import find_state
from pxs.training.settings import Settings


@pytest.fixture
def human(rows):
    return [row for row in rows if row.domain == "human"]


def saved_by_an_earlier_version(folder):
    """A state whose settings have no recipe."""
    settings = {name: v for name, v in asdict(Settings()).items() if name != "recipe"}
    states = TrainingStates(folder)
    states.save(1, {"weights": {}, "optimiser": {}}, {"settings": settings, "data": "d", "log": []})
    return states


def test_a_state_of_an_earlier_version_resumes_and_is_refused_by_the_other_recipe(tmp_path):
    states = saved_by_an_earlier_version(tmp_path / "checkpoints")
    found = find_state(states, tmp_path, {"settings": asdict(Settings()), "data": "d"})
    assert found is not None and found[0] == 1
    with pytest.raises(TrainingError, match="with recipe 'mini', not 'pixelsmile'") as caught:
        find_state(states, tmp_path, {"settings": asdict(Settings(recipe="pixelsmile")), "data": "d"})
    assert "\n" not in str(caught.value)


def test_the_command_takes_the_published_settings_for_mini_when_they_are_asked_for(human, tmp_path, capsys):
    write(tmp_path / "rows.jsonl", human, pictures="/")
    command = [
        "train",
        "--pictures",
        "/",
        "--data",
        str(tmp_path / "rows.jsonl"),
        "--out",
        str(tmp_path / "out"),
        "--steps",
        "1",
    ]
    assert main([*command, "--recipe", "pixelsmile", "--set", "model=mini", "batch=1", "precision=no"]) == 0
    assert (
        "pxs: recipe pixelsmile for mini: 1 steps of 1 rows, rank 64, alpha 128, rate 0.0001" in capsys.readouterr().err
    )
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert (results["settings"]["rank"], results["settings"]["seed"], results["held_back"]) == (64, 42, 0)
    assert results["targets_without_face"] == 0


def test_the_full_model_that_is_not_downloaded_is_one_line_and_nothing_is_written(human, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    write(tmp_path / "rows.jsonl", human * 4, pictures="/")
    command = ["train", "--pictures", "/", "--data", str(tmp_path / "rows.jsonl"), "--out", str(tmp_path / "out")]
    for more in (["--recipe", "pixelsmile"], ["--set", "model=Qwen/Qwen-Image-Edit-2511"]):
        assert main([*command, *more]) == 2
        message = capsys.readouterr().err
        assert "Qwen/Qwen-Image-Edit-2511" in message and message.count("\n") == 1
    assert not (tmp_path / "out").exists()
