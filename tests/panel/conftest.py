"""Panels on one portrait of the embedded model."""

import pytest

import pxs

STEPS = 4


@pytest.fixture(scope="module")
def opened(editor):
    return editor.open(pxs.draw(pxs.Identity.sample(400003)))


@pytest.fixture
def portrait(opened, monkeypatch):
    """A portrait whose `steps` a test may replace."""
    monkeypatch.setattr(opened, "steps", opened.steps)
    return opened


@pytest.fixture
def make(portrait):
    """A function that creates panels, which are closed after the test."""
    created = []

    def panel(*args, **options):
        created.append(pxs.Panel(portrait, *args, **{"steps": STEPS, **options}))
        return created[-1]

    yield panel
    for each in created:
        each.close()
