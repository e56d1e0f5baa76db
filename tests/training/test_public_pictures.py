"""Constants of the recipe "pixelsmile": crops around boxes, sampled latents, decoded positives, template landmarks."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from photo_rows import train_command
from PIL import Image

from pxs.cli import main
from pxs.encoders.alignment import TEMPLATE
from pxs.encoders.arcface import ArcFaceEncoder
from pxs.errors import DataError
from pxs.training.cache import Cache
from pxs.training.public_pictures import check_boxes, crop

BOX = (5.0, 20.0, 55.0, 90.0)


def public_crop(image, side, box):
    """The rule of the public trainer, written out."""
    scale = max(side / image.width, side / image.height)
    wide, high = int(image.width * scale), int(image.height * scale)
    image = image.resize((wide, high), Image.Resampling.LANCZOS)
    left, top = (wide - side) // 2, (high - side) * 0.5
    if box:
        x1, y1, x2, y2 = (c * scale for c in box)
        left = (x1 + x2) / 2 - side / 2
        lowest, highest = y2 - side, y1
        top = highest - (highest - lowest) * 0.5 if y2 - y1 <= side else (y1 + y2) / 2 - side / 2
    left, top = int(max(0, min(left, wide - side))), int(max(0, min(top, high - side)))
    return image.crop((left, top, left + side, top + side))


@pytest.mark.parametrize("size", [(200, 120), (120, 200), (128, 128), (90, 300)])
@pytest.mark.parametrize("box", [None, BOX, (60.0, 1.0, 90.0, 119.0), (10.0, 30.0, 80.0, 60.0)])
def test_a_picture_is_cut_as_the_public_trainer_does(size, box):
    values = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(values)
    ours = crop(image, 64, (box,) if box else ())
    assert ours.tobytes() == public_crop(image, 64, box).tobytes()


def test_positives_are_the_pictures_decoded_from_the_sampled_latents(editor, rows, encoders, tmp_path):
    cache = Cache(tmp_path, editor, *encoders, published=True)
    batch, again = cache.batch(rows[:1]), Cache(tmp_path / "b", editor, *encoders, published=True).batch(rows[:1])
    assert all(a is b or torch.equal(a, b) for a, b in zip(vars(batch).values(), vars(again).values(), strict=True))
    mean, std = (torch.tensor(v)[:, None, None, None] for v in (
        editor.pipe.vae.config.latents_mean, editor.pipe.vae.config.latents_std))  # fmt: skip
    with torch.no_grad():
        decoded = editor.pipe.vae.decode(batch.targets[0][:, :, None] * std + mean).sample[:, :, 0]
        features = encoders[0].embed_pixels(decoded)
    torch.testing.assert_close(batch.features[0], features, rtol=1e-4, atol=1e-4)
    means = Cache(tmp_path / "c", editor, *encoders).batch(rows[:1])
    assert not torch.equal(means.targets, batch.targets)
    assert (means.targets - batch.targets).abs().mean() < 0.5  # a sample of the posterior, near its mean


def test_the_text_encoder_sees_the_crop_itself(editor, rows, encoders, tmp_path):
    cache = Cache(tmp_path, editor, None, None, published=True)
    row = replace(rows[0], boxes=(BOX,))
    with torch.no_grad():
        image = crop(Image.open(row.source).convert("RGB"), 128, row.boxes)
        first = editor.pipe.encode_prompt(cache._prompts(row)[:1], image=[image])[0]
    assert torch.equal(cache.batch([row]).text[0, 0], first[0])


def test_the_file_of_a_row_depends_on_its_boxes_and_on_the_recipe(editor, rows, encoders, tmp_path):
    boxed = replace(rows[0], boxes=(BOX,))
    own, public = Cache(tmp_path, editor, *encoders), Cache(tmp_path, editor, *encoders, published=True)
    assert own.key(boxed) == own.key(rows[0])
    assert len({own.key(boxed), public.key(boxed), public.key(rows[0])}) == 3


def test_a_picture_without_a_face_gets_the_landmarks_of_the_template(analysis):
    analysis.get = lambda image: []
    marks = ArcFaceEncoder(analysis=analysis, template=True).landmarks(torch.zeros(2, 3, 128, 128))
    assert torch.equal(marks, torch.tensor(TEMPLATE).expand(2, 5, 2))


def test_a_box_outside_of_its_picture_is_one_line(rows):
    check_boxes([replace(rows[0], boxes=((-3.0, 0.0, 50.0, 60.0),))])
    with pytest.raises(DataError, match="lies outside of") as caught:
        check_boxes([replace(rows[0], boxes=((500.0, 0.0, 600.0, 60.0),))])
    assert "\n" not in str(caught.value)


def test_the_command_tells_the_recipe_and_the_targets_without_a_face(
    rows, encoders, analysis, photo_model, tmp_path, monkeypatch, capsys
):
    from pxs.training import encoders as selection

    analysis.get = lambda image: []
    monkeypatch.setattr(selection, "PooledClipFeatures", lambda domain, device: encoders[0])
    monkeypatch.setattr(selection, "ArcFaceEncoder", lambda: ArcFaceEncoder(analysis=analysis))
    human = [replace(row, boxes=(BOX,)) for row in rows if row.domain == "human"]
    command = train_command(human, tmp_path, 2)
    assert main([*command, "--set", f"model={photo_model}", "batch=1", "rank=2", "precision=no"]) == 0
    told = capsys.readouterr().err
    assert "pxs: recipe pixelsmile for" in told
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["settings"]["recipe"] == "pixelsmile" and results["settings"]["contrast_weight"] == 1
    assert f"{results['targets_without_face']} of " in told and results["targets_without_face"] > 0


def test_a_wrong_box_is_refused_before_anything_is_written(rows, tmp_path, capsys):
    human = [replace(row, boxes=((900.0, 0.0, 999.0, 60.0),)) for row in rows if row.domain == "human"]
    command = train_command(human, tmp_path, 1)
    assert main([*command, "--recipe", "pixelsmile", "--set", "model=mini", "batch=1"]) == 2
    message = capsys.readouterr().err
    assert "lies outside of" in message and message.count("\n") == 1 and not (tmp_path / "out").exists()
