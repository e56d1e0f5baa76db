"""The comparison of ways to begin at the source: ends that are known without a model's quality."""

import numpy as np

from analysis import origin


def test_at_0_the_ways_by_the_exact_velocity_give_the_source_and_at_1_all_give_the_same(capsys):
    found = origin.measure(1, 2)
    psnr = origin.MEASURES.index("PSNR to the source")
    assert found.keys() == origin.PASSES.keys()
    reconstructed = found["source_latents"][psnr, 0]
    for way in ("pulled", "adaptive"):
        assert abs(found[way][psnr, 0] - reconstructed) < 0.1
    assert found["source"][psnr, 0] == origin.HIGHEST and found["source"][0, 0] > 0.9999
    for rows in found.values():
        np.testing.assert_allclose(rows[:, -1], found["neutral"][:, -1], atol=0.05)
