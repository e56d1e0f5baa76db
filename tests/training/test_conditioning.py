"""Conditioning of targets: on the score of the category alone, or on all scores, like a mix in editing."""

from dataclasses import replace

import pytest
import torch

from pxs.editing.conditioning import interpolate
from pxs.expressions import Mix
from pxs.images import open_image
from pxs.training.cache import Cache
from pxs.training.objective import conditioned

MIXES = [
    (Mix(fear=0.9, surprised=0.6), Mix(surprised=0.8, fear=0.5)),
    (Mix(happy=0.7, sad=0.3, shy=0.2), Mix(sad=0.4)),
]


@pytest.fixture(scope="module")
def mixed(rows):
    """Two rows whose targets show several expressions, the second one three."""
    changed = []
    for row, mixes in zip(rows, MIXES, strict=False):
        categories = [max(mix, key=mix.get) for mix in mixes]
        targets = zip(row.targets, categories, mixes, strict=True)
        changed.append(replace(row, targets=tuple(replace(t, category=c, scores=m) for t, c, m in targets)))
    return changed


def expected(editor, rows, mixes):
    """The prompt embeddings of these mixes in editing, row by row."""
    texts = []
    for row, row_mixes in zip(rows, mixes, strict=True):
        portrait = editor.open(open_image(row.source), row.domain)
        texts.append(interpolate(portrait.embeddings, row_mixes))
    return torch.cat(texts)


def test_all_scores_give_the_embeddings_of_the_mix(editor, mixed, encoders, tmp_path):
    batch = Cache(tmp_path, editor, *encoders, "scores").batch(mixed)
    assert batch.text.shape[:2] == (2, 4) and batch.scores.shape == (2, 2, 3)  # the first row is padded
    torch.testing.assert_close(conditioned(batch), expected(editor, mixed, MIXES), atol=1e-4, rtol=1e-4)


def test_category_conditioning_ignores_the_other_scores(editor, mixed, encoders, tmp_path):
    batch = Cache(tmp_path, editor, *encoders).batch(mixed)
    alone = [[Mix({t.category: t.score}) for t in row.targets] for row in mixed]
    assert batch.text.shape[1] == 3
    torch.testing.assert_close(conditioned(batch), expected(editor, mixed, alone), atol=1e-4, rtol=1e-4)


def test_rows_without_further_expressions_share_their_constants(editor, rows, mixed, encoders, tmp_path):
    caches = [Cache(tmp_path, editor, *encoders, how) for how in ("category", "scores")]
    single = next(row for row in rows if all(len(t.scores) == 1 for t in row.targets))
    assert len({cache.key(single) for cache in caches}) == 1
    assert len({cache.key(mixed[1]) for cache in caches}) == 2
