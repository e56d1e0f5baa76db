"""Tests of the stages that build `mini`, at toy size and without torch.compile."""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLQwenImage
from safetensors.torch import load_file

from pxs.editing.bundled import BUNDLED
from pxs.editing.exact.vae2d import Vae2d
from pxs.expressions import DOMAINS, EXPRESSIONS, Mix
from pxs.faces.draw import draw
from pxs.faces.identity import Identity
from pxs.faces.render import render
from pxs.mini import build, build_portraits, train_vae
from pxs.mini.data import assorted
from pxs.mini.edit_set import EditSet, write_chunk
from pxs.mini.loop import TrainingPlan
from pxs.mini.text import prompts, template, train_tokenizer
from pxs.mini.train_transformer import new_transformer, train_transformer, velocity_loss

PLAN = TrainingPlan(steps=3, lr=1e-3, adam_lr=1e-3, warmup=1, check_every=3)


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    """Without torch.compile, which takes minutes, and in float32: many CPUs compute bfloat16 fifteen times slower."""
    monkeypatch.setattr(torch, "compile", lambda function: function)
    monkeypatch.setattr(torch, "autocast", lambda *_: nullcontext())


@pytest.fixture(scope="module")
def pool():
    return render(assorted([1, 2], "human", 4))


@pytest.fixture(scope="module")
def chunk(tmp_path_factory):
    target = tmp_path_factory.mktemp("edits") / "train_anime_00000.npz"
    write_chunk(target, [11, 12], "anime", BUNDLED["mini"])
    return EditSet.load([target])


def test_the_vae_learns_and_its_posterior_has_the_noise_of_the_training(pool, tmp_path):
    before = train_vae.reconstruction_psnr(train_vae.new_vae(), pool[:2])
    trained = train_vae.train_vae(pool, {"human": pool[:2]}, replace(PLAN, steps=30, lr=1e-2, warmup=5), tmp_path)
    assert train_vae.reconstruction_psnr(trained, pool[:2]) > before + 3
    _, logvar = trained.encode(train_vae.to_tensor(pool[:1]))
    torch.testing.assert_close(logvar.exp().sqrt(), torch.full_like(logvar, train_vae.LATENT_NOISE))


def test_training_the_decoder_does_not_change_latents(pool, tmp_path):
    vae = train_vae.new_vae()
    picture = train_vae.to_tensor(pool[:1])
    with torch.no_grad():
        latents, image = vae.encode(picture)[0], vae.decode(vae.encode(picture)[0])
    train_vae.train_decoder(vae, pool, {"human": pool[:2]}, PLAN, tmp_path)
    with torch.no_grad():
        assert torch.equal(vae.encode(picture)[0], latents)
        assert not torch.equal(vae.decode(latents), image)


def test_a_deepened_vae_has_more_blocks_and_the_same_outputs(pool):
    vae = train_vae.new_vae()
    picture = train_vae.to_tensor(pool[:1])
    with torch.no_grad():
        image = vae.decode(vae.encode(picture)[0])
        blocks = len(vae.decoder.up_blocks[0].resnets)
        deep = train_vae.deepened(vae)
        assert len(deep.decoder.up_blocks[0].resnets) == blocks + 1
        torch.testing.assert_close(deep.decode(deep.encode(picture)[0]), image)


def test_a_deepened_vae_is_saved_as_a_stock_checkpoint(tmp_path):
    deep = train_vae.deepened(train_vae.new_vae())
    train_vae.save_vae(deep, tmp_path, [0.0] * 16, [1.0] * 16)
    loaded = Vae2d.from_stock(AutoencoderKLQwenImage.from_pretrained(tmp_path, dtype=torch.float32))
    latents = torch.randn(1, 16, 4, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(loaded.decode(latents), deep.decode(latents), atol=5e-3, rtol=0)


def test_an_edit_set_has_the_latents_and_embeddings_of_the_editor(chunk, editor):
    face = draw(Identity.sample(11), Mix(), "anime")
    portrait = editor.open(face, "anime")
    assert chunk.latents.shape == (2, 13, 16, 16, 16)
    np.testing.assert_allclose(chunk.latents[0, 0], portrait.latents[0].numpy(), atol=5e-3)
    for index, label in enumerate(("neutral", *EXPRESSIONS)):
        np.testing.assert_allclose(chunk.embeddings[0, 0, index], portrait.embeddings[label].numpy(), atol=5e-3)


def test_batches_depend_on_seed_and_step_alone(chunk):
    first, again, later = (chunk.batch(0, step, 8) for step in (5, 5, 6))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[1], later[1])


def test_the_target_of_a_neutral_label_is_the_neutral_face(chunk):
    _, targets, text = chunk.batch(3, 0, 256)
    neutral = torch.from_numpy(chunk.embeddings[:, :, 0].reshape(-1, *chunk.embeddings.shape[3:])).float()
    asked = torch.stack([(text == row).flatten(1).all(dim=1) for row in neutral]).any(dim=0)
    faces = torch.from_numpy(chunk.latents[:, 0]).float()
    shown = torch.stack([(targets == face).flatten(1).all(dim=1) for face in faces]).any(dim=0)
    assert torch.equal(asked, shown)
    assert 0 < asked.float().mean() < 0.3


def test_an_untrained_transformer_predicts_zero_so_its_loss_is_the_mean_squared_velocity(chunk):
    source, target, text = chunk.batch(0, 0, 8)
    loss = velocity_loss(new_transformer(), source, target, text, 0, 0)
    assert loss.item() == pytest.approx(1 + target.pow(2).mean().item(), rel=0.05)


def test_the_transformer_stage_changes_the_weights_and_logs_the_loss(chunk, tmp_path):
    trained = train_transformer(chunk, chunk, PLAN, tmp_path, batch=4)
    assert trained.proj_out.weight.abs().max() > 0
    assert (tmp_path / "curve.jsonl").read_text().count("held_out_loss") == 1


def test_the_model_of_rendered_people_continues_from_mini(tmp_path, monkeypatch):
    monkeypatch.setattr(build_portraits, "PEOPLE", {128: {"person": 1, "anime": 1}})
    monkeypatch.setattr(build_portraits, "HELD_OUT", 1)
    monkeypatch.setattr(build_portraits, "BATCHES", {128: 2})
    build_portraits.edits(tmp_path, 128)
    made = EditSet.load([tmp_path / "edits_128" / "train_person_00000.npz"])
    assert made.latents.shape == (1, 13, 16, 16, 16)
    before = load_file(BUNDLED["mini"] / "transformer" / "diffusion_pytorch_model.safetensors")
    build_portraits.transformer(tmp_path, 128, replace(PLAN, steps=1, lr=0.0, adam_lr=0.0))
    after = load_file(tmp_path / "checkpoint" / "transformer" / "diffusion_pytorch_model.safetensors")
    assert all(torch.equal(before[k], after[k]) for k in before)
    build_portraits.transformer(tmp_path, 128, replace(PLAN, steps=2))
    after = load_file(tmp_path / "checkpoint" / "transformer" / "diffusion_pytorch_model.safetensors")
    assert not torch.equal(before["proj_out.weight"], after["proj_out.weight"])


def test_all_prompts_have_the_same_number_of_tokens_after_a_prefix_of_64():
    tokenizer = train_tokenizer()
    text, dropped = template()
    assert len(tokenizer(text.split("{}")[0])["input_ids"]) == dropped == 64
    assert len({len(tokenizer(text.format(p))["input_ids"]) for p in prompts()}) == 1
    words = [tokenizer.tokenize(text.format(p))[-7] for p in prompts()]
    assert words == ["Ġneutral", *(f"Ġ{e}" for e in EXPRESSIONS)] * len(DOMAINS)


def test_the_tokenizer_encodes_and_decodes_any_text():
    tokenizer = train_tokenizer()
    assert tokenizer.decode(tokenizer("Zwölf Gesichter, 漢字!")["input_ids"]) == "Zwölf Gesichter, 漢字!"


@pytest.mark.parametrize("module", [build, build_portraits])
def test_an_unknown_stage_is_refused(module, capsys):
    assert module.main(["everything"]) == 2
    assert "invalid choice: 'everything'" in capsys.readouterr().err
