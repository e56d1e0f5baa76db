"""Which recipe is chosen, what it hands out, and what it refuses, in Python and on the command line."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import pxs
from pxs.benchmark.methods.context import Context
from pxs.cli import main
from pxs.editing.bundled import BUNDLED
from pxs.editing.checkpoints import sides_of
from pxs.editing.conditioning import interpolate_by, last_seven
from pxs.editing.options import LoadOptions
from pxs.editing.recipes import AUTO, FITTED, PUBLISHED, find_recipe
from pxs.errors import ImageError, ModelError, OutputError
from pxs.faces.draw import draw
from pxs.faces.identity import Identity, seeds
from pxs.images import open_image

FACE = Identity.sample(seeds("gallery", 1)[0])


@pytest.fixture(scope="module")
def published():
    """The embedded model with the recipe of the public script."""
    return pxs.load("mini", recipe="published")


def adapter(folder, **notes):
    """A file with the notes of an adapter."""
    header = {"lora_adapter_metadata": json.dumps(notes)} if notes else None
    file = folder / f"{len(list(folder.iterdir()))}.safetensors"
    save_file({"x": torch.zeros(1)}, file, metadata=header)
    return file


def test_the_full_model_with_an_adapter_runs_as_published_unless_its_notes_say_otherwise(tmp_path):
    def chosen(*notes, schedule="own", folder=tmp_path):
        return find_recipe(AUTO, schedule, folder, {adapter(tmp_path, **n): 1.0 for n in notes}).name

    assert chosen({}) == chosen({"transformer.r": 64}) == "published"
    assert chosen() == "fitted"  # the bare model
    assert chosen({}, {"pxs.recipe": "fitted"}) == chosen({"pxs.base": "a"}) == "fitted"
    assert chosen({"pxs.base": "a", "pxs.recipe": "published"}) == "published"
    assert chosen({}, schedule="few") == "fitted"
    assert chosen({}, folder=BUNDLED["mini"]) == "fitted"


def test_a_recipe_that_is_asked_for_is_taken(editor, published, tmp_path):
    assert editor.recipe is FITTED and published.recipe is PUBLISHED
    assert (editor.provenance["recipe"], published.provenance["recipe"]) == ("fitted", "published")
    assert find_recipe("fitted", "own", tmp_path, {adapter(tmp_path): 1.0}) is FITTED


def test_a_recipe_of_ones_own_changes_one_step(published):
    own = replace(PUBLISHED, name="last seven", interpolate=partial(interpolate_by, last_seven))
    editor = pxs.load("mini", recipe=own)
    assert editor.provenance["recipe"] == "last seven"
    portrait = editor.open(draw(FACE))
    ours, theirs = (list(p.steps([pxs.Mix(happy=1.5)], steps=1))[0] for p in (portrait, published.open(draw(FACE))))
    torch.testing.assert_close(ours.latents, theirs.latents, atol=1e-3, rtol=0)  # the prefix does not change


def test_benchmarks_compare_whole_pictures(monkeypatch):
    given = []
    monkeypatch.setattr("pxs.editing.editor.load", lambda *args: given.append(args[2].recipe))
    Context(options=LoadOptions()).editor("default")
    Context(options=LoadOptions(recipe="published")).editor("default")
    assert given == [FITTED, "published"]


def test_the_published_recipe_hands_out_the_models_own_picture(published):
    portrait = published.open(draw(FACE, size=200), box=(50, 40, 150, 160))
    edits = portrait.sweep("happy", [0, 1], steps=2, progress=False)
    assert portrait.prepared.described.size == (128, 128) and portrait.fitted.size == (128, 128)
    assert {image.size for image in (*edits, edits.source)} == {(128, 128)} and edits.raw == edits.images
    assert edits.sheet().width >= 3 * 128 and edits.differences()[0].size == (128, 128)


@pytest.mark.parametrize("size", [128, 256])
def test_the_fitted_recipe_has_the_models_own_picture_too(editor, size):
    portrait = editor.open(draw(FACE, size=size))
    *_, last = portrait.steps([pxs.Mix(happy=1)], seed=3, steps=2)
    for edits in (portrait.edit(pxs.Mix(happy=1), seed=3, steps=2), portrait.finish(last, [pxs.Mix(happy=1)], 3)):
        assert edits.raw == (portrait.preview(last.latents)[0],)
        assert edits[0] == portrait.prepared.restore(edits.raw[0]) and edits[0].size == (size, size)
        assert (edits[0] == edits.raw[0]) == (size == 128)


def test_embeddings_of_ones_own_can_be_denoised(published):
    portrait = published.open(draw(FACE))
    *_, last = portrait.denoise(portrait.embeddings["happy"][None], steps=2)
    made, edit = (
        np.asarray(image, int) for image in (portrait.preview(last.latents)[0], portrait.edit({"happy": 1}, steps=2)[0])
    )
    assert abs(made - edit).max() <= 1  # neutral + (happy - neutral) is happy but for its last bits


@pytest.mark.parametrize("options", [{"recipe": "script"}, {"recipe": "published", "schedule": "few"}, {"recipe": ""}])
def test_recipes_that_do_not_exist_or_do_not_fit_are_refused(options):
    with pytest.raises(ModelError, match="recipe"):
        LoadOptions(**options)


@pytest.mark.parametrize(
    "box", [(0, 0, 129, 100), (-1, 0, 100, 100), (90, 0, 10, 100), (0, 0, float("nan"), 9), (200, 200, 300, 300)]
)
def test_boxes_that_are_not_in_the_picture_are_refused(published, box):
    with pytest.raises(ImageError, match="face box"):
        published.open(draw(FACE), box=box)


def test_names_must_be_as_many_as_edits(editor, tmp_path):
    edits = editor.open(draw(FACE)).edit(pxs.Mix(), steps=1)
    with pytest.raises(OutputError, match="2 names were given for 1 edits"):
        edits.save(tmp_path, names=["a.png", "b.png"])


@pytest.fixture
def face(tmp_path):
    draw(FACE).save(tmp_path / "face.png")
    return tmp_path / "face.png"


def edit(face, *flags):
    words = ["edit", "--image-path", face, "--output-dir", face.parent / "out", "--steps", 1, *flags]
    return main([str(word) for word in words])


def test_the_command_writes_the_files_of_the_script(face, published, monkeypatch, capsys):
    monkeypatch.setattr("pxs.editing.editor.load", lambda *_, **__: published)
    flags = ("--recipe", "published", "--face-box", 20, 20, 100, 110)
    assert edit(face, "--expression", "happy", "--scales", 0, 0.5, 1, *flags) == 0
    out = face.parent / "out"
    names = [f"face_happy_{scale}.jpg" for scale in (0.0, 0.5, 1.0)]
    assert capsys.readouterr().out.split() == [str(out / name) for name in names]
    with Image.open(out / names[1]) as image:
        told = json.loads(image.info["comment"])
        assert (image.format, image.size, told["recipe"]) == ("JPEG", (128, 128), "published")
        assert json.loads(told["mix"]) == {"happy": 0.5} and told["seed"] == "42"
    made = published.open(open_image(face), box=(20, 20, 100, 110)).edit(pxs.Mix(happy=0.5), steps=1)[0]
    assert np.abs(np.asarray(open_image(out / names[1]), int) - np.asarray(made, int)).mean() < 8  # as JPEG stores it
    assert edit(face, "--expression", "happy", "--scales", 0.5, *flags) == 0  # done before
    assert edit(face, "--expression", "happy", "--scales", 0.5, "--seed", 7, *flags) == 2
    assert "exists" in capsys.readouterr().err
    assert edit(face, "--mix", "happy=0.5", "sad=1", *flags) == 0
    assert (out / "face_happy_0.5-sad_1.jpg").is_file()


MISTAKES = {
    "unknown": (["--recipe", "script"], "unknown recipe 'script': choose from auto, published, fitted"),
    "few steps": (["--recipe", "published", "--schedule", "few"], "has no schedule 'few'"),
    "outside": (["--recipe", "published", "--face-box", "0", "0", "300", "40"], "reaches outside of the picture"),
    "empty": (["--recipe", "published", "--face-box", "50", "0", "50", "40"], "is empty"),
    "no number": (["--recipe", "published", "--face-box", "a", "0", "50", "40"], "'a' is not a number"),
    "infinite": (["--recipe", "published", "--face-box", "0", "0", "inf", "40"], "is not finite"),
    "not a crop": (["--recipe", "fitted", "--face-box", "0", "0", "50", "40"], "leave the face box out"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_ends_in_one_line_status_2_and_nothing_written(mistake, face, monkeypatch, capsys):
    monkeypatch.setattr("pxs.editing.editor.load", lambda *_, **__: pytest.fail("the model was loaded"))
    flags, message = MISTAKES[mistake]
    assert edit(face, "--expression", "happy", *flags) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1) and message in printed.err
    assert list(face.parent.iterdir()) == [face]


def test_info_names_the_recipe_and_counts_what_it_generates(published, monkeypatch, capsys):
    monkeypatch.setattr("pxs.editing.editor.load", lambda *_, **__: published)
    assert main(["info", "--recipe", "published"]) == 0
    assert "recipe               published\n" in capsys.readouterr().out
    assert main(["info", "--recipe", "published", "--estimate"]) == 0
    assert "128 x 128" in capsys.readouterr().out


def test_the_full_model_generates_the_pipelines_own_size_when_published(tmp_path):
    assert sides_of(tmp_path) == (512, 1024) and sides_of(BUNDLED["mini"]) == (128, 128)
    assert PUBLISHED.generated(sides_of(tmp_path)) == 1024 and FITTED.generated(sides_of(tmp_path)) == 512
