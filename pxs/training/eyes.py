"""What the losses of a training look through: the judges that it was given, or those that suit its model and rows.

A model of drawn faces gets those of `mini`. For photographs, as PixelSmile: the CLIP of the rows' domain, and ArcFace
of antelopev2 on faces aligned by five points; a judge that no loss needs is neither loaded nor required.
"""

from __future__ import annotations

from collections.abc import Sequence

from pxs.editing.checkpoints import drawn_psnr_of, find_model
from pxs.errors import TrainingError
from pxs.ffe import Row
from pxs.judging.arcface import ArcFaceLoss
from pxs.judging.features import ClipFeatures, FeatureJudge, MiniFeatures
from pxs.judging.identity import IdentityLoss, MiniIdentityLoss
from pxs.judging.networks import Embedder
from pxs.training.settings import Settings

Eyes = tuple[FeatureJudge | None, IdentityLoss | None]


def check_roles(*judges: FeatureJudge | IdentityLoss | None) -> None:
    """Raise TrainingError for a judge that scores."""
    for judge in judges:
        if judge and judge.role != "train":
            raise TrainingError(f"{judge.name} scores (role {judge.role!r}): it must not be trained against")


def choose_eyes(
    features: FeatureJudge | None,
    identity: IdentityLoss | None,
    rows: Sequence[Row],
    settings: Settings,
    device: str,
) -> Eyes:
    """Features and identity: those given, else those by default, else None for a loss that the settings leave out.

    Chosen before the model is loaded, which takes minutes. Raises TrainingError for judges of drawn faces with a model
    of photographs, and where the contrast would need the CLIPs of both domains; JudgeError for a judge whose weights or
    packages are missing.
    """
    if drawn_psnr_of(find_model(settings.model)) is not None:
        return features or MiniFeatures(), identity or MiniIdentityLoss()
    for judge in (features, identity):
        if isinstance(judge, Embedder):
            raise TrainingError(
                f"{settings.model!r} is no model of drawn faces, but {judge.name} knows no others: "
                "leave it out, or give a judge of photographs"
            )
    if features is None and settings.contrasts:
        features = ClipFeatures(_domain(rows), device=device)
    if identity is None and settings.identifies:
        identity = ArcFaceLoss()
    return features, identity


def _domain(rows: Sequence[Row]) -> str:
    """The one domain of all rows."""
    domains = sorted({row.domain for row in rows})
    if len(domains) > 1:
        raise TrainingError(
            f"the rows are of the domains {' and '.join(domains)}, each with a CLIP of its own: train on one at a time"
        )
    return domains[0]
