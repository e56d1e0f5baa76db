"""One step of the recipe "pixelsmile" equals the public objective, written out from its formulas without pxs."""

import math

import pytest
import torch
import torch.nn.functional as F

from pxs.training.adapter import add_adapter
from pxs.training.cache import Batch
from pxs.training.objective import Objective
from pxs.training.settings import Settings

SETTINGS = Settings(recipe="pixelsmile", batch=2, rank=4, alpha=8, contrast_weight=1.0, identity_weight=0.1)
LAYER = "transformer_blocks.1.attn.to_q.lora_B.default.weight"


class Encoders:
    """Stand-ins for CLIP, ArcFace and the detector, of random weights; the landmarks depend on the picture."""

    def __init__(self):
        generator = torch.Generator().manual_seed(5)
        self.clip = torch.randn(24, 3 * 16 * 16, generator=generator) / 20
        self.face = torch.randn(12, 3 * 16 * 16, generator=generator) / 20

    def features(self, pixels):
        return F.normalize(F.adaptive_avg_pool2d(pixels, 16).flatten(1) @ self.clip.T, dim=1)

    def landmarks(self, pixels):
        return pixels.detach().mean((1, 2, 3))[:, None, None].expand(-1, 5, 2)

    def identity(self, pixels, landmarks):
        moved = pixels * (1 + landmarks.mean((1, 2))[:, None, None, None])
        return F.normalize(F.adaptive_avg_pool2d(moved, 16).flatten(1) @ self.face.T, dim=1)


@pytest.fixture(scope="module")
def transformer():
    """The stock transformer with a LoRA whose second factors are not 0, so that both factors have gradients."""
    import pxs
    from pxs.editing.bundled import BUNDLED
    from pxs.editing.parts import load_pipeline

    pipe = load_pipeline(BUNDLED["mini"], torch.float32)
    weights = add_adapter(pipe.transformer, SETTINGS)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for name, weight in weights.items():
            if "lora_B" in name:
                weight.copy_(0.02 * torch.randn(weight.shape, generator=generator))
    editor = pxs.load("mini", adapter=None)
    return pipe, weights, editor


def example(encoders, width):
    """Constants of two rows: latents of 16 x 16, prompts of 9 tokens."""
    g = torch.Generator().manual_seed(3)
    source, targets = torch.randn(2, 16, 16, 16, generator=g), torch.randn(2, 2, 16, 16, 16, generator=g)
    text, scores = torch.randn(2, 3, 9, width, generator=g), torch.tensor([[[0.7, 0], [0, 0.4]], [[0.2, 0], [0, 0.9]]])
    positives = torch.rand(4, 3, 128, 128, generator=g) * 2 - 1
    marks = encoders.landmarks(positives)
    return Batch(
        source,
        targets,
        text,
        scores,
        torch.tensor([[0, 1], [2, 3]]),
        encoders.features(positives).unflatten(0, (2, 2)),
        marks.unflatten(0, (2, 2)),
        encoders.identity(positives, marks).unflatten(0, (2, 2)),
    ), positives.unflatten(0, (2, 2))


def patches(x):
    """(1, C, h, w) -> (1, h/2 * w/2, 4 C): 2 x 2 latents are one token."""
    b, c, h, w = x.shape
    return x.reshape(b, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 1, 3, 5).reshape(b, h * w // 4, 4 * c)


def picture_of(tokens, h, w):
    b, _, d = tokens.shape
    return tokens.reshape(b, h // 2, w // 2, d // 4, 2, 2).permute(0, 3, 1, 4, 2, 5).reshape(b, d // 4, h, w)


def public_objective(pipe, encoders, batch, positives, noise, sigma):
    """The three losses from the formulas of the article and the public trainer, branch by branch."""
    config = pipe.vae.config
    mean, std = (torch.tensor(v).view(1, -1, 1, 1, 1) for v in (config.latents_mean, config.latents_std))
    flows, contrasts, distances = [], [], []
    for i in range(2):
        generated = []
        for k in range(2):
            alpha, x = batch.scores[i, k, k], batch.targets[i, k][None]
            e = batch.text[i, 0] + alpha * (batch.text[i, 1 + k] - batch.text[i, 0])
            x_t = (1 - sigma[i]) * x + sigma[i] * noise[i][None]
            tokens = torch.cat([patches(x_t), patches(batch.source[i][None])], dim=1)
            shapes = [[(1, 8, 8), (1, 8, 8)]]
            v = pipe.transformer(
                hidden_states=tokens,
                timestep=sigma[i][None],
                encoder_hidden_states=e[None],
                img_shapes=shapes,
                return_dict=False,
            )[0][:, :64]
            v = picture_of(v, 16, 16)
            flows.append(((v - (noise[i][None] - x)) ** 2).mean())
            x_0 = (x_t - sigma[i] * v)[:, :, None]
            generated.append(pipe.vae.decode(x_0 * std + mean, return_dict=False)[0][:, :, 0])
        for a, b in ((0, 1), (1, 0)):
            g, p, n = (encoders.features(t) for t in (generated[a], positives[i, a][None], positives[i, b][None]))
            near, far = ((F.cosine_similarity(g, other) / 0.07).squeeze() for other in (p, n))
            contrasts.append(-torch.log(near.exp() / (near.exp() + far.exp())))
            theirs, ours = positives[i, a][None], generated[a]
            vectors = [encoders.identity(t, encoders.landmarks(t)) for t in (theirs, ours)]
            distances.append(1 - F.cosine_similarity(*vectors).squeeze())
    gate = 1e-5 if 1000 * sigma[0] > 600 else 1 - 1e-5
    return {
        "flow": sum(flows) / 4,
        "contrast": sum(contrasts) / 4,
        "identity": gate * sum(distances) / 4,
    }


@pytest.mark.parametrize("sigma", [(0.35, 0.8), (0.9, 0.2)], ids=["gate-open", "gate-closed"])
def test_a_step_is_that_of_the_public_objective(transformer, sigma):
    pipe, weights, editor = transformer
    encoders, sigma = Encoders(), torch.tensor(sigma)
    batch, positives = example(encoders, pipe.transformer.config.joint_attention_dim)
    noise = torch.randn(2, 16, 16, 16, generator=torch.Generator().manual_seed(4))

    def decode(latents):
        return editor.vae.decoder(editor.vae.post_quant_conv(latents * editor.std + editor.mean))

    (chosen,) = [weight for name, weight in weights.items() if name == LAYER]
    ours = Objective(SETTINGS, decode, encoders.features, encoders.identity, encoders.landmarks)(
        pipe.transformer, batch, noise, sigma
    )
    (gradient,) = torch.autograd.grad(ours["loss"], [chosen])
    public = public_objective(pipe, encoders, batch, positives, noise, sigma)
    loss = public["flow"] + 1.0 * public["contrast"] + 0.1 * public["identity"]
    (expected,) = torch.autograd.grad(loss, [chosen])
    for name, value in public.items():
        assert math.isclose(ours[name].item(), value.item(), rel_tol=1e-5, abs_tol=1e-5), name
    assert expected.abs().max() > 1e-6
    torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-5)
    assert ((gradient - expected).norm() / expected.norm()).item() < 1e-4
