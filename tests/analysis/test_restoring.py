"""The table of full-size output: the new way is as good as the better of the two others, on each kind of pixel."""

import math

import pytest

from analysis.restoring import SCALES, WAYS, decibels, main, measure


def test_restored_edits_are_as_good_as_the_better_of_both_ways():
    errors = measure(people=1)
    for scale in SCALES:
        carried, upsampled, restored = ({k: decibels(*errors[scale, w, k]) for k in (True, False)} for w in WAYS)
        assert restored[True] >= upsampled[True] and restored[False] >= carried[False]
        if scale == 1:
            assert set(restored.values()) == {math.inf}
        else:
            assert upsampled[True] > carried[True] and carried[False] > upsampled[False]


def test_the_table_has_a_row_a_scale(monkeypatch, capsys):
    monkeypatch.setattr(
        "analysis.restoring.measure",
        lambda: {(s, w, k): (300.0, 3) for s in SCALES for w in WAYS for k in (True, False)},
    )
    main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(SCALES) and lines[-1].split()[0] == "512"
    assert lines[-1].split()[-1] == f"{decibels(300, 3):.2f}" == "28.13"


def test_no_error_is_infinite():
    assert decibels(0, 5) == math.inf and decibels(65025, 1) == pytest.approx(0)
