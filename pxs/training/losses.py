"""What training an adapter minimises: flow matching, contrast between confusable expressions, and identity.

Pure functions on tensors, after PixelSmile (arXiv 2603.25728). A sample has two branches, a and b: the two targets of
a row, which share the source, the noise and the timestep. Features are vectors (B, D) of decoded pictures, as a rule
of length 1, though only their directions count; cos is the cosine between two of them, in [-1, 1]. Everything is
computed in the dtype of its inputs: give float32 or wider.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Form = Callable[[Tensor, Tensor, Tensor], Tensor]
"""A form of contrast: generated, positive, negative features (B, D) -> losses (B,)."""


def flow_matching(velocity: Tensor, noise: Tensor, clean: Tensor) -> Tensor:
    """mean((v - (noise - clean))^2), a scalar >= 0; all three of one shape (B, ...).

    With x_t = (1 - sigma) * clean + sigma * noise, noise - clean is the velocity dx/dsigma. Put the samples of both
    branches into the batch, and this is the mean over the branches too.
    """
    return F.mse_loss(velocity, noise - clean)


def clean_estimate(noisy: Tensor, velocity: Tensor, sigma: Tensor) -> Tensor:
    """x_0 = x_t - sigma * v: where a straight path from `noisy` (B, ...) ends; exact when the velocity is.

    `sigma` (B,) is the noise level of each sample, 0..1; the result has the shape of `noisy`.
    """
    return noisy - sigma.reshape(-1, *[1] * (noisy.ndim - 1)) * velocity


def info_nce(generated: Tensor, positive: Tensor, negative: Tensor, temperature: float = 0.07) -> Tensor:
    """-log(e^(cos(G,P)/t) / (e^(cos(G,P)/t) + e^(cos(G,N)/t))), losses (B,) above 0; t is the temperature.

    InfoNCE with one negative (van den Oord et al. 2018), and PixelSmile's default: log 2 where both are equally near,
    towards 0 as the positive is nearer, at most about 2/t. It is computed as softplus((cos(G,N) - cos(G,P)) / t), which
    neither overflows nor divides.
    """
    return F.softplus((_cos(generated, negative) - _cos(generated, positive)) / temperature)


def hinge(generated: Tensor, positive: Tensor, negative: Tensor, margin: float = 0.2) -> Tensor:
    """max(0, margin + cos(G,N) - cos(G,P)), losses (B,) in [0, 2 + margin].

    Exactly 0, and so without a gradient, once the positive is nearer by the margin.
    """
    return F.relu(margin + _cos(generated, negative) - _cos(generated, positive))


def log_ratio(generated: Tensor, positive: Tensor, negative: Tensor, eps: float = 1e-6) -> Tensor:
    """log((1 - cos(G,P) + eps) / (1 - cos(G,N) + eps)), losses (B,) of either sign, 0 where both are equally near.

    PixelSmile names a log ratio of distances; that the distance is 1 - cos, and the `eps` that keeps the loss within
    +-log((2 + eps) / eps), are our reading of it.
    """
    near, far = (1 - _cos(generated, other) for other in (positive, negative))
    return torch.log(near.clamp_min(0) + eps) - torch.log(far.clamp_min(0) + eps)  # rounding can take cos above 1


FORMS: dict[str, Form] = {"infonce": info_nce, "hinge": hinge, "log_ratio": log_ratio}
"""The forms of contrast by their names in settings."""


def symmetric_contrast(
    generated_a: Tensor, generated_b: Tensor, truth_a: Tensor, truth_b: Tensor, form: Form = info_nce
) -> Tensor:
    """1/2 * (form(G_a, T_a, T_b) + form(G_b, T_b, T_a)), losses (B,): each branch's own truth T against the other's.

    Exchanging a and b leaves it as it is. For another temperature or margin give functools.partial of a form.
    """
    forwards = form(generated_a, truth_a, truth_b)
    backwards = form(generated_b, truth_b, truth_a)
    return (forwards + backwards) / 2


def one_sided_contrast(generated_a: Tensor, truth_a: Tensor, truth_b: Tensor, form: Form = info_nce) -> Tensor:
    """form(G_a, T_a, T_b), losses (B,): branch a alone, what the symmetric loss is compared with."""
    return form(generated_a, truth_a, truth_b)


def identity_loss(generated: Tensor, truth: Tensor, timestep: Tensor, gate: float = 600) -> Tensor:
    """mean over the samples with timestep <= gate of 1 - cos(G, T), a scalar in [0, 2]; 0 where there are none.

    `generated` and `truth` (B, D) are identity features, `timestep` (B,) runs over 0..1000. Above the gate the clean
    estimate is too blurred to show who it is; every sample passes or fails by itself, and one that fails gets a
    gradient of 0 whatever its features are.
    """
    passes = timestep <= gate
    distances = 1 - _cos(generated[passes], truth[passes])
    return distances.sum() / max(1, len(distances))


def _cos(a: Tensor, b: Tensor) -> Tensor:
    return F.cosine_similarity(a, b, dim=-1)
