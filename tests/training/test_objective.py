"""The loss of a step equals a plain version of the published one; its noise depends only on seed, step and place."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from pxs.editing.sampling import pack, unpack
from pxs.training.cache import Cache
from pxs.training.objective import Objective, conditioned, draws
from pxs.training.settings import Settings

SETTINGS = Settings(batch=2, precision="no", contrast_weight=1.0)


@pytest.fixture(scope="module")
def batch(editor, rows, encoders, tmp_path_factory):
    return Cache(tmp_path_factory.mktemp("cache"), editor, *encoders).batch(rows[:2])


def decoder(editor):
    return lambda z: editor.vae.decoder(editor.vae.post_quant_conv(z * editor.std + editor.mean))


def plain(editor, batch, noise, sigma, encoders):
    """The published method: branch by branch and row by row, with the 3-D stock VAE."""
    features, identity = encoders
    flows, contrasts, kept = [], [], []
    for i in range(len(sigma)):
        s, shown, who = sigma[i], [], []
        for branch in range(2):
            clean = batch.targets[i, branch][None]
            e = batch.text[i, 0] + batch.scores[i, branch, branch] * (batch.text[i, 1 + branch] - batch.text[i, 0])
            mixed = (1 - s) * clean + s * noise[i]
            tokens = torch.cat([pack(mixed), pack(batch.source[i][None])], dim=1)
            v = editor.pipe.transformer(
                hidden_states=tokens, encoder_hidden_states=e[None], timestep=s[None],
                img_shapes=[[(1, 8, 8), (1, 8, 8)]], return_dict=False,
            )[0][:, :64]  # fmt: skip
            v = unpack(v, (16, 16))
            flows.append(F.mse_loss(v, noise[i][None] - clean))
            x0 = (mixed - s * v) * editor.std + editor.mean
            pixels = editor.pipe.vae.decoder(editor.pipe.vae.post_quant_conv(x0[:, :, None]))[:, :, 0]
            shown.append(features.embed_pixels(pixels))
            who.append(identity.embed_pixels(pixels))
        for a, b in ((0, 1), (1, 0)):
            near, far = (F.cosine_similarity(shown[a], batch.features[i, k][None]) / 0.07 for k in (a, b))
            contrasts.append(-torch.log(near.exp() / (near.exp() + far.exp())))
            if 1000 * s <= 600:
                kept.append(1 - F.cosine_similarity(who[a], batch.identity[i, a][None]))
    parts = {"flow": torch.stack(flows).mean(), "contrast": torch.cat(contrasts).mean()}
    parts["identity"] = torch.cat(kept).mean() if kept else torch.zeros(())
    return {"loss": parts["flow"] + parts["contrast"] + 0.1 * parts["identity"], **parts}


@pytest.mark.parametrize("sigma", [[0.2, 0.9], [0.55, 0.4], [0.7, 0.95]])
def test_the_loss_equals_the_plain_one(editor, batch, encoders, sigma):
    noise = torch.randn(2, 16, 16, 16, generator=torch.Generator().manual_seed(1))
    objective = Objective(SETTINGS, decoder(editor), encoders[0].embed_pixels, encoders[1].embed_pixels)
    with torch.no_grad():
        ours = objective(editor.pipe.transformer, batch, noise, torch.tensor(sigma))
        theirs = plain(editor, batch, noise, torch.tensor(sigma), encoders)
    assert ours.keys() == theirs.keys()
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-4, atol=1e-5)


def test_losses_of_weight_0_are_not_computed(editor, batch, encoders):
    def fail(_):
        raise AssertionError("no loss needs pixels")

    flow = SETTINGS.updated({"contrast": "none", "identity_weight": 0})
    noise, sigma = draws(flow, 0, range(2), (16, 16, 16))
    with torch.no_grad():
        parts = Objective(flow, fail, None, None)(editor.pipe.transformer, batch, noise, sigma)
    assert parts.keys() == {"loss", "flow"}


def test_without_encoders_the_cache_has_no_encodings(editor, rows, encoders, batch, tmp_path):
    bare = Cache(tmp_path, editor, None, None).batch(rows[:2]).to("cpu")
    assert (bare.features, bare.landmarks, bare.identity) == (None, None, None)
    assert torch.equal(bare.targets, batch.targets) and torch.equal(bare.text, batch.text)
    one = Cache(tmp_path, editor, None, encoders[1]).batch(rows[:2]).to("cpu")
    assert one.features is None and torch.equal(one.identity, batch.identity)
    assert one.landmarks.shape == (2, 2, 0, 2)
    assert len(list(tmp_path.iterdir())) == 4


def test_the_generated_face_is_aligned_by_the_landmarks_of_its_target(editor, rows, encoders, tmp_path):
    class Recording(type(encoders[0])):
        def landmarks(self, pixels, names=None):
            return 100 * pixels.mean((1, 2, 3))[:, None, None].expand(-1, 5, 2)

        def embed_pixels(self, pixels, landmarks=None):
            given.append(landmarks)
            return super().embed_pixels(pixels)

    given, recording = [], Recording("recording")
    batch = Cache(tmp_path, editor, None, recording).batch(rows[:2])
    truths = torch.cat(given)
    assert len(truths.unique()) == 4 and torch.equal(batch.landmarks.flatten(0, 1), truths)
    settings = SETTINGS.updated({"contrast": "none"})
    noise, sigma = draws(settings, 0, range(2), (16, 16, 16))
    with torch.no_grad():
        Objective(settings, decoder(editor), None, recording.embed_pixels)(editor.pipe.transformer, batch, noise, sigma)
    assert torch.equal(given[-1], truths)


def test_one_sided_contrast_depends_on_the_first_branch_only(editor, batch, encoders):
    settings = SETTINGS.updated({"contrast": "one_sided", "identity_weight": 0})
    objective = Objective(settings, decoder(editor), encoders[0].embed_pixels, encoders[1].embed_pixels)
    shown = batch.features.flip(1)
    a = objective._mean_contrast(shown, batch.features)
    changed = torch.stack([shown[:, 0], torch.ones_like(shown[:, 1])], dim=1)
    assert torch.equal(a, objective._mean_contrast(changed, batch.features))


def test_text_is_interpolated_to_each_branchs_own_score(batch):
    text = conditioned(batch)
    for i in range(2):
        for branch in range(2):
            neutral, target = batch.text[i, 0], batch.text[i, 1 + branch]
            expected = torch.lerp(neutral, target, batch.scores[i, branch, branch].item())
            torch.testing.assert_close(text[2 * i + branch], expected)


def test_noise_depends_on_seed_step_and_place_alone():
    noise, sigma = draws(SETTINGS, 3, range(4), (2, 2))
    again, levels = draws(SETTINGS, 3, [2, 3], (2, 2))
    assert torch.equal(noise[2:], again) and torch.equal(sigma[2:], levels)
    others = [draws(SETTINGS, 4, [2], (2, 2))[0], draws(SETTINGS.updated({"seed": 1}), 3, [2], (2, 2))[0]]
    assert not any(torch.equal(noise[2:3], other) for other in others)
    many = draws(SETTINGS, 0, range(400), (1,))[1]
    assert 0 <= many.min() < 0.05 and 0.95 < many.max() < 1 and abs(many.mean() - 0.5) < 0.05


def test_shifted_noise_levels_are_those_of_diffusers_shifted_schedule():
    from diffusers import FlowMatchEulerDiscreteScheduler

    noise, uniform = draws(SETTINGS, 0, range(50), (1,))
    same, shifted = draws(SETTINGS.updated({"shift": 3}), 0, range(50), (1,))
    stock = FlowMatchEulerDiscreteScheduler(shift=3.0)
    stock.set_timesteps(sigmas=uniform.tolist())
    assert torch.equal(noise, same)
    torch.testing.assert_close(shifted, stock.sigmas[:-1])


def test_the_cache_is_reused_and_recomputed_for_another_picture_or_encoder(editor, rows, encoders, tmp_path):
    cache = Cache(tmp_path, editor, *encoders)
    first = cache.batch(rows[:1])
    files = list(tmp_path.iterdir())
    stamp = files[0].stat().st_mtime_ns
    again = cache.batch(rows[:1])
    assert [f.stat().st_mtime_ns for f in tmp_path.iterdir()] == [stamp]
    assert all(a is b or torch.equal(a, b) for a, b in zip(vars(first).values(), vars(again).values(), strict=True))
    other = type(encoders[0])("another encoder")
    keys = {
        cache.key(rows[0]),
        cache.key(rows[1]),
        cache.key(replace(rows[0], domain="anime")),
        Cache(tmp_path, editor, other, encoders[1]).key(rows[0]),
    }
    assert len(keys) == 4
