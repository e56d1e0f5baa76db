"""Selects the frozen encoders used by the training losses.

A model of made faces gets the encoders of `mini`. A model of photographs gets those of PixelSmile: the CLIP of the
domain of the rows, and ArcFace (antelopev2) on faces aligned by five points. With the recipe "pixelsmile" CLIP features
are pooled and not projected, and ArcFace aligns a picture without a face by its template. An encoder that no loss needs
is not loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

from pxs.data.ffe import Row
from pxs.editing.checkpoints import find_model, styles_of
from pxs.encoders.arcface import ArcFaceEncoder
from pxs.encoders.features import ClipFeatures, FeatureEncoder, MiniFeatures, PooledClipFeatures
from pxs.encoders.identity import IdentityEncoder, MiniIdentityEncoder
from pxs.encoders.networks import Embedder
from pxs.errors import TrainingError
from pxs.training.recipes import domain_of
from pxs.training.settings import Settings

Encoders = tuple[FeatureEncoder | None, IdentityEncoder | None]
"""The encoders of the contrastive and of the identity loss; None for a loss that is not used."""


def check_roles(*encoders: FeatureEncoder | IdentityEncoder | None) -> None:
    """Raise TrainingError for an encoder whose role is not "train"."""
    for encoder in encoders:
        if encoder and encoder.role != "train":
            raise TrainingError(
                f"{encoder.name} scores (role {encoder.role!r}), so no loss may use it: give an encoder of pxs.encoders"
            )


def choose_encoders(
    features: FeatureEncoder | None,
    identity: IdentityEncoder | None,
    rows: Sequence[Row],
    settings: Settings,
    device: str,
) -> Encoders:
    """The encoders that are given, else the default ones; None for a loss that the settings do not use.

    Call it before loading the model, which takes minutes. Raises TrainingError for an encoder of made faces with a
    model of photographs, and for rows of two domains, which would need two CLIPs. Raises JudgeError for an encoder
    whose weights or packages are missing.
    """
    if styles_of(find_model(settings.model)):
        return features or MiniFeatures(), identity or MiniIdentityEncoder()
    for encoder in (features, identity):
        if isinstance(encoder, Embedder):
            raise TrainingError(
                f"{settings.model!r} is not a model of made faces, but {encoder.name} encodes only drawn faces: "
                "leave it out, or give an encoder of photographs"
            )
    if features is None and settings.contrasts:
        clip = PooledClipFeatures if settings.published else ClipFeatures
        features = clip(domain_of(rows), device=device)
    if identity is None and settings.identifies:
        identity = ArcFaceEncoder()
    if settings.published and identity is not None and hasattr(identity, "template"):
        identity = copy(identity)  # the caller's keeps its setting
        identity.template = True
    return features, identity
