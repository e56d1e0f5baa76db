"""The losses of a training: flow matching, contrast between confusable expressions, and identity.

Pure functions on tensors, after PixelSmile (arXiv 2603.25728). A sample has two branches, a and b: the two targets of
a row, which share the source, the noise and the timestep. Features are vectors (B, D) of decoded pictures. Only their
directions matter; most encoders return unit vectors. cos is the cosine of two features, in [-1, 1]. All functions
compute in the dtype of their inputs, which must be float32 or wider, and return that dtype.
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

    With x_t = (1 - sigma) * clean + sigma * noise, the true velocity dx/dsigma is noise - clean. If the batch holds
    the samples of both branches, the result is also the mean over the branches.
    """
    return F.mse_loss(velocity, noise - clean)


def clean_estimate(noisy: Tensor, velocity: Tensor, sigma: Tensor) -> Tensor:
    """x_0 = x_t - sigma * v: the end of a straight path from `noisy`; exact if the velocity is exact.

    `noisy` and `velocity` have one shape (B, ...), which the result has too. `sigma` (B,) is the noise level of each
    sample, in [0, 1].
    """
    return noisy - sigma.reshape(-1, *[1] * (noisy.ndim - 1)) * velocity


def info_nce(generated: Tensor, positive: Tensor, negative: Tensor, temperature: float = 0.07) -> Tensor:
    """-log(e^(cos(G,P)/t) / (e^(cos(G,P)/t) + e^(cos(G,N)/t))), losses (B,) above 0; t is the temperature.

    All features are (B, D). InfoNCE with one negative (van den Oord et al. 2018), the default of PixelSmile. It is
    log 2 if both are equally near, tends to 0 if the positive is nearer, and is at most about 2/t. Computed as
    softplus((cos(G,N) - cos(G,P)) / t), which does not overflow.
    """
    return F.softplus((_cos(generated, negative) - _cos(generated, positive)) / temperature)


def hinge(generated: Tensor, positive: Tensor, negative: Tensor, margin: float = 0.2) -> Tensor:
    """max(0, margin + cos(G,N) - cos(G,P)), losses (B,) in [0, 2 + margin]; features (B, D).

    Exactly 0, without a gradient, if the positive is nearer by the margin or more.
    """
    return F.relu(margin + _cos(generated, negative) - _cos(generated, positive))


def log_ratio(generated: Tensor, positive: Tensor, negative: Tensor, eps: float = 1e-6) -> Tensor:
    """log((1 - cos(G,P) + eps) / (1 - cos(G,N) + eps)), losses (B,), negative or positive, 0 if both are equally near.

    Features are (B, D). PixelSmile describes a log ratio of distances without a formula. The distance 1 - cos, and the
    `eps` that bounds the loss by +-log((2 + eps) / eps), are our choice.
    """
    near, far = (1 - _cos(generated, other) for other in (positive, negative))
    return torch.log(near.clamp_min(0) + eps) - torch.log(far.clamp_min(0) + eps)  # rounding can take cos above 1


FORMS: dict[str, Form] = {"infonce": info_nce, "hinge": hinge, "log_ratio": log_ratio}
"""The forms of contrast, by their names in the settings."""


def symmetric_contrast(
    generated_a: Tensor, generated_b: Tensor, truth_a: Tensor, truth_b: Tensor, form: Form = info_nce
) -> Tensor:
    """1/2 * (form(G_a, T_a, T_b) + form(G_b, T_b, T_a)), losses (B,): for each branch its truth T against the other.

    All features are (B, D). The loss is symmetric in a and b. For another temperature or margin, give a
    functools.partial of a form.
    """
    branch_a = form(generated_a, truth_a, truth_b)
    branch_b = form(generated_b, truth_b, truth_a)
    return (branch_a + branch_b) / 2


def one_sided_contrast(generated_a: Tensor, truth_a: Tensor, truth_b: Tensor, form: Form = info_nce) -> Tensor:
    """form(G_a, T_a, T_b), losses (B,) of branch a alone, for comparison with the symmetric loss; features (B, D)."""
    return form(generated_a, truth_a, truth_b)


def identity_loss(generated: Tensor, truth: Tensor, timestep: Tensor, gate: float = 600) -> Tensor:
    """The mean of 1 - cos(G, T) over the samples with timestep <= gate, a scalar in [0, 2]; 0 without such samples.

    `generated` and `truth` (B, D) are identity features; `timestep` (B,) is in [0, 1000]. Above the gate the clean
    estimate is too blurred to show the identity. A sample above the gate gets a gradient of 0, even if its features
    are not finite.
    """
    passes = timestep <= gate
    distances = 1 - _cos(generated[passes], truth[passes])
    return distances.sum() / max(1, len(distances))


def batch_identity_loss(
    generated: Tensor, truth: Tensor, timestep: Tensor, gate: float = 600, eps: float = 1e-5
) -> Tensor:
    """w * mean(1 - cos(G, T)) over all samples, a scalar in [0, 2]: the identity loss of PixelSmile's public trainer.

    `generated` and `truth` (B, D) are identity features; `timestep` (B,) is in [0, 1000]. The first timestep alone
    decides for the whole batch: w is `eps` if it is above the gate, else 1 - `eps`.
    """
    weight = torch.where(timestep[0] > gate, eps, 1 - eps)
    return weight * (1 - _cos(generated, truth)).mean()


def _cos(a: Tensor, b: Tensor) -> Tensor:
    return F.cosine_similarity(a, b, dim=-1)
