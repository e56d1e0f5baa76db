"""The command: what it writes and prints, and one line with exit status 2 for every mistake."""

import subprocess
import sys

import pytest
import torch
from PIL import Image

from pxs.cli import main
from pxs.data import ffe
from pxs.data.synthetic_ffe import FIRST_IDENTITY
from pxs.expressions import Mix
from pxs.faces.draw import draw
from pxs.faces.identity import Identity, seeds
from pxs.faces.portraits import Person, render
from pxs.images import open_image, read_text


@pytest.fixture
def face(tmp_path):
    path = tmp_path / "face.png"
    draw(Identity.sample(seeds("gallery", 1)[0])).save(path)
    return path


@pytest.fixture
def loaded(monkeypatch, editor):
    """Commands use the session's editor instead of loading the model again."""
    monkeypatch.setattr("pxs.editing.editor.load", lambda *_, **__: editor)


def edit(face, out, *more):
    return main(["edit", "--image-path", str(face), "--output-dir", str(out), *map(str, more)])


def test_edit_writes_one_picture_a_scale_and_prints_their_paths(loaded, face, tmp_path, capsys):
    out = tmp_path / "out"
    assert edit(face, out, "--expression", "happy", "--scales", 0.5, 1, "--steps", 1, "--seed", 9) == 0
    printed = capsys.readouterr().out.split()
    assert printed == [str(out / "face_happy_0.5.png"), str(out / "face_happy_1.png")]
    assert read_text(printed[0])["seed"] == "9"
    assert open_image(printed[1]).size == (128, 128)


def test_edit_takes_a_mix_and_an_anime_face(loaded, face, tmp_path):
    out = tmp_path / "out"
    assert edit(face, out, "--mix", "happy=0.7", "surprised=0.5", "--steps", 1, "--data-type", "anime") == 0
    text = read_text(out / "face_happy_0.7-surprised_0.5.png")
    assert text["domain"] == "anime"


def test_the_default_scales_are_four(loaded, face, tmp_path):
    assert edit(face, tmp_path / "out", "--expression", "sad", "--steps", 1) == 0
    names = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert names == ["face_neutral.png", "face_sad_0.5.png", "face_sad_1.5.png", "face_sad_1.png"]


def test_the_real_process_edits_and_reports(face, tmp_path):
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "pxs.cli",
        "edit",
        "--image-path",
        face,
        "--output-dir",
        out,
        "--expression",
        "fear",
        "--scales",
        "1",
        "--steps",
        "2",
    ]
    run = subprocess.run(command, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == f"{out / 'face_fear_1.png'}\n"


def bad_inputs(tmp_path):
    draw(Identity.sample(1)).save(tmp_path / "ok.png")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("not a picture")
    (tmp_path / "cut.png").write_bytes((tmp_path / "ok.png").read_bytes()[:300])
    frames = [Image.new("RGB", (64, 64), c) for c in ("red", "blue")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    return tmp_path


MISTAKES = {
    "missing file": (["--image-path", "{dir}/no.png"], "does not exist"),
    "empty file": (["--image-path", "{dir}/empty.png"], "is empty"),
    "no picture": (["--image-path", "{dir}/text.png"], "not a picture"),
    "truncated": (["--image-path", "{dir}/cut.png"], "damaged or cut short"),
    "animated": (["--image-path", "{dir}/moving.gif"], "2 frames"),
    "unknown expression": (["--expression", "suprised"], "did you mean 'surprised'"),
    "not a number": (["--scales", "strong"], "'strong' is not a number"),
    "nan": (["--scales", "nan"], "'nan' is not finite"),
    "infinite": (["--scales", "0", "inf"], "'inf' is not finite"),
    "no scales": (["--scales"], "no scales"),
    "two ways": (["--mix", "happy=1"], "exclude each other"),
    "no steps": (["--steps", "0"], "steps 0 is too small"),
    "seed": (["--seed", "x"], "seed 'x' is not a whole number"),
    "wrong model": (["--model-path", "{dir}"], "model_index.json is missing"),
    "no adapter": (["--lora-path", "{dir}/no.safetensors"], "no adapter"),
    "output is a file": (["--output-dir", "{dir}/ok.png"], "ok.png"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_ends_in_one_line_status_2_and_nothing_written(mistake, tmp_path, capsys):
    folder = bad_inputs(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    flags, message = MISTAKES[mistake]
    given = {"--image-path": [f"{folder}/ok.png"], "--output-dir": [f"{folder}/out"], "--expression": ["happy"]}
    flags = [f.format(dir=folder) for f in flags]
    given[flags[0]] = flags[1:]
    words = [w for name, values in given.items() for w in (name, *values)]
    assert main(["edit", *words]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert message in printed.err
    assert sorted(tmp_path.rglob("*")) == before


def test_files_that_exist_are_kept_unless_told_otherwise(loaded, face, tmp_path, capsys):
    out = tmp_path / "out"
    flags = ("--expression", "happy", "--scales", "1", "--steps", "1")
    assert edit(face, out, *flags) == 0
    before = (out / "face_happy_1.png").stat().st_mtime_ns
    assert edit(face, out, *flags) == 0
    assert (out / "face_happy_1.png").stat().st_mtime_ns == before
    assert edit(face, out, *flags, "--seed", "9") == 2
    assert "exists, with seed '42' instead of '9'" in capsys.readouterr().err
    assert edit(face, out, *flags, "--seed", "9", "--overwrite") == 0
    assert read_text(out / "face_happy_1.png")["seed"] == "9"


def test_neither_expression_nor_mix_is_a_mistake(face, tmp_path, capsys):
    assert edit(face, tmp_path / "out") == 2
    assert "no expression" in capsys.readouterr().err


def test_faces_writes_both_styles(tmp_path, capsys):
    assert main(["faces", "--out", str(tmp_path / "f"), "--count", "2", "--mix", "happy=1"]) == 0
    files = sorted(p.name for p in (tmp_path / "f").iterdir())
    assert files == ["anime_000_happy_1.png", "anime_001_happy_1.png", "human_000_happy_1.png", "human_001_happy_1.png"]
    assert len(capsys.readouterr().out.splitlines()) == 4
    assert main(["faces", "--out", str(tmp_path / "g"), "--count", "999999999"]) == 2


def test_faces_renders_people(tmp_path, capsys):
    assert main(["faces", "--style", "person", "--out", str(tmp_path), "--count", "1", "--mix", "happy=1"]) == 0
    (file,) = capsys.readouterr().out.split()
    assert file == str(tmp_path / "person_000_happy_1.png") and open_image(file).size == (256, 256)
    person = Person.sample(seeds("gallery", 1)[0])
    assert open_image(file).tobytes() == render(person, Mix(happy=1)).tobytes()


def test_a_training_set_of_rendered_people_states_their_domain(tmp_path):
    assert main(["faces", "--style", "person", "anime", "--out", str(tmp_path), "--ffe", "2", "--size", "32"]) == 0
    rows = ffe.read(tmp_path / "train.jsonl")
    assert [row.domain for row in rows] == ["human", "anime"]
    person = Person.sample(seeds("editor", 1, FIRST_IDENTITY)[0])
    assert open_image(rows[0].source).tobytes() == render(person, size=32).tobytes()


def test_a_reader_that_leaves_early_costs_no_files(tmp_path):
    faces = f"{sys.executable} -m pxs.cli faces --out {tmp_path / 'f'} --count 40"
    run = subprocess.run(["bash", "-c", f"{faces} | true"], capture_output=True, text=True)
    assert run.stderr == ""
    assert len(list((tmp_path / "f").iterdir())) == 80


def test_info_names_model_device_and_versions(loaded, capsys):
    assert main(["info"]) == 0
    rows = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert rows["model"] == "mini"
    assert rows["device"] == "cpu"
    assert rows["torch"].startswith("2.")
    assert {"threads", "waiting", "machine"} <= rows.keys() and "cores, load" in rows["machine"]
    assert rows["parameters"] == "transformer 8.2 M, text encoder 0.6 M, VAE 3.5 M"


def test_version(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith("pxs ")


def test_a_gpu_without_memory_is_one_line_and_no_other_bug_is_hidden(face, tmp_path, monkeypatch, capsys):
    def failing(error):
        def load(*_, **__):
            raise error

        monkeypatch.setattr("pxs.editing.editor.load", load)
        return edit(face, tmp_path / "out", "--expression", "happy")

    assert failing(torch.OutOfMemoryError("CUDA out of memory")) == 2
    said = capsys.readouterr().err
    assert "--memory offload" in said and said.count("\n") == 1
    with pytest.raises(RuntimeError, match="shapes"):
        failing(RuntimeError("shapes do not match"))
