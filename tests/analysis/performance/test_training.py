"""Our training step and the published step compute the same losses."""

import pytest
import torch

from analysis.performance.training import PublicStep, main
from pxs.data.ffe import read
from pxs.data.synthetic_ffe import write_synthetic_set
from pxs.encoders.features import MiniFeatures
from pxs.encoders.identity import MiniIdentityEncoder
from pxs.training.cache import Cache
from pxs.training.objective import Objective, draws
from pxs.training.settings import Settings


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_synthetic_set(tmp_path_factory.mktemp("ffe"), 2)


def test_both_steps_have_the_same_loss(editor, table, tmp_path):
    settings = Settings(batch=2, precision="no")
    features, identity = MiniFeatures(), MiniIdentityEncoder()
    batch = Cache(tmp_path, editor, features, identity).batch(read(table))
    noise, _ = draws(settings, 0, range(2), batch.source.shape[1:])
    sigma = torch.tensor([0.3, 0.8])

    def decode(z):
        return editor.vae.decoder(editor.vae.post_quant_conv(z * editor.std + editor.mean))

    with torch.no_grad():
        ours = Objective(settings, decode, features.embed_pixels, identity.embed_pixels)
        public = PublicStep(settings, editor, features, identity)
        a, b = (step(editor.pipe.transformer, batch, noise, sigma) for step in (ours, public))
    for name in a:  # one compares with decoded true pictures, the other with the pictures themselves
        torch.testing.assert_close(a[name], b[name], rtol=0.02, atol=2e-3)
    torch.testing.assert_close(a["flow"], b["flow"], rtol=1e-4, atol=1e-5)


def test_one_run_prints_its_speed_as_json(table, capsys, monkeypatch):
    import json

    monkeypatch.setattr("sys.argv", ["speed", "--one", "ours", "--table", str(table), "--steps", "1", "--batch", "2"])
    main()
    row = json.loads(capsys.readouterr().out)
    assert row["steps_per_s"] > 0 and row["peak_gb"] > 0.1 and row["loss"] > 0
