"""Other methods of linear control: their losses equal plain versions, and the one trainer trains them."""

import json

import pytest
import torch
from safetensors.torch import load_file

from pxs.benchmark.methods import choose
from pxs.editing.sampling import pack, unpack
from pxs.editing.sliders import NAMES, ST
from pxs.editing.sliders.files import Cost, content, load_into, read_notes
from pxs.editing.sliders.registry import SLIDERS
from pxs.errors import AdapterError, TrainingError
from pxs.expressions import EXPRESSIONS, sweep
from pxs.training.cache import Cache
from pxs.training.recipes import choose_settings
from pxs.training.rivals import LOSSES, rows_of
from pxs.training.settings import Settings
from pxs.training.trainer import train

OTHERS = [name for name in NAMES if name != ST]  # test_slideredit_st.py
TINY = {"steps": 2, "batch": 1, "precision": "no", "save_every": 1, "validation": 0.0}


@pytest.fixture(scope="module")
def example(editor, rows, tmp_path_factory):
    """A batch of two rows, noise and noise levels."""
    batch = Cache(tmp_path_factory.mktemp("cache"), editor, None, None).batch(rows[:2])
    g = torch.Generator().manual_seed(5)
    return batch, torch.randn(batch.source.shape, generator=g), torch.tensor([0.3, 0.8])


def filled(name, editor):
    """A method whose weights are random."""
    slider = SLIDERS[name](editor.pipe.transformer)
    g = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in slider.parameters():
            p.copy_(0.1 * torch.randn(p.shape, generator=g))
    return slider


class Recorder:
    """A stand-in for the transformer: gives the pooled text plus the latents, and keeps the text that it was given."""

    def __init__(self, slider):
        self.slider, self.calls = slider, []

    def __call__(self, hidden_states, encoder_hidden_states, timestep, img_shapes, return_dict):
        lora = getattr(self.slider, "lora", None)
        gates = None if lora is None or lora.gates is None else lora.gates
        self.calls.append((encoder_hidden_states, gates))
        shift = encoder_hidden_states.mean(dim=(1, 2))[:, None, None]
        strength = 0 if gates is None else gates.sum(dim=2, keepdim=True)
        return (hidden_states * (1 + timestep[:, None, None]) + shift + 0.1 * strength,)


def by_hand(name, batch, noise, sigma, slider):
    """The loss of a method, target by target, with the stand-in's formula written out."""

    def v(x, text, s, strength=0.0):
        return unpack(pack(x) * (1 + s) + text.mean() + 0.1 * strength, (x.shape[2], x.shape[3]))

    values = []
    for i in range(len(sigma)):
        for branch in range(2):
            s, n, z, x = sigma[i], noise[i][None], batch.source[i][None], batch.targets[i, branch][None]
            e0, e = batch.text[i, 0], batch.text[i, 1 + branch]
            a = batch.scores[i, branch, branch]
            z_s, x_s = (1 - s) * z + s * n, (1 - s) * x + s * n
            if name == "slideredit":
                values.append((v(z_s, e, s, 1.0) - v(z_s, e0, s)) ** 2)
            elif name == "conceptslider":
                change = v(z_s, e, s) - v(z_s, e0, s)
                values += [(v(z_s, e0, s, sign) - (v(z_s, e0, s) + sign * change)) ** 2 for sign in (1.0, -1.0)]
            elif name == "conceptslider_visual":
                values.append((v(x_s, e0, s, a) - (n - x)) ** 2)
            elif name == "kslider":
                values += [(v(x_s, e, s, 1.0) - (n - x)) ** 2, (v(z_s, e, s, 1.0) - (n - z)) ** 2]
            elif name == "saedit":
                values += [autoencoded(slider, x) for x in (e0, e)]
            else:
                u = 0.5 * (1 + torch.erf(n[0, 0, 0, 0] / 2**0.5))
                change = v(z_s, e, s) - v(z_s, e0, s)
                vector = slider.vectors[EXPRESSIONS.index(CATEGORIES[i][branch])]
                for scale in (0.1 + 1.4 * u, -(0.1 + 1.4 * u)):
                    moved = e0.clone()
                    moved[-11] += scale * vector
                    values.append((v(z_s, moved, s) - (v(z_s, e0, s) + scale * change)) ** 2)
    return torch.stack(values).mean()


def autoencoded(slider, text):
    """The squared errors of the reconstruction, token by token."""
    errors = []
    for x in text[-13:]:
        unit = x / (x @ x / len(x)).sqrt()
        z = (slider.encoder @ (unit - slider.centre) + slider.threshold).clamp(min=0)
        z[z.argsort(descending=True)[16:]] = 0
        errors.append((slider.decoder @ z + slider.centre - unit) ** 2)
    return torch.stack(errors)


CATEGORIES = {}


@pytest.mark.parametrize("name", OTHERS)
def test_the_loss_is_that_of_the_article(name, editor, rows, example):
    CATEGORIES.update({i: [t.category for t in rows[i].targets] for i in range(2)})
    batch, noise, sigma = example
    slider = filled(name, editor)
    loss = LOSSES[name](slider, Recorder(slider), rows_of(batch, noise, sigma))
    assert torch.allclose(loss, by_hand(name, batch, noise, sigma, slider), rtol=1e-4)


@pytest.mark.parametrize("name", OTHERS)
def test_only_what_the_method_adds_gets_gradients_and_checkpointing_keeps_them(name, editor, example):
    transformer = editor.pipe.transformer
    gradients = []
    try:
        for checkpointing in (False, True):
            slider = filled(name, editor)
            handles = slider.hook(transformer)
            transformer.train()
            if checkpointing:
                transformer.enable_gradient_checkpointing()
            LOSSES[name](slider, transformer, rows_of(*example)).backward()
            for handle in handles:
                handle.remove()
            gradients.append({key: p.grad for key, p in slider.named_parameters() if p.grad is not None})
    finally:
        transformer.disable_gradient_checkpointing()
        transformer.eval()
        transformer.zero_grad()
    plain, checkpointed = gradients
    assert plain and plain.keys() == checkpointed.keys()
    assert any(g.abs().max() > 0 for g in plain.values())
    assert all(torch.allclose(plain[key], checkpointed[key], rtol=1e-3, atol=1e-6) for key in plain)


@pytest.fixture(scope="module", params=NAMES)
def trained(request, rows, tmp_path_factory):
    """The name of a method, and the folder of its training of two steps."""
    folder = tmp_path_factory.mktemp(request.param)
    settings = choose_settings({**TINY, "method": request.param}, rows)
    steps = list(train(rows, settings, folder))
    assert [s.index for s in steps] == [0, 1] and steps[0].losses["loss"] != steps[1].losses["loss"]
    return request.param, folder


def test_a_trained_method_states_what_it_is_and_what_it_cost(trained, editor):
    name, folder = trained
    notes = read_notes(folder / "adapter.safetensors", name)
    assert (notes["method"], notes["base"]) == (name, editor.checkpoint.fingerprint)
    slider = SLIDERS[name](editor.pipe.transformer)
    assert notes["cost"]["parameters"] == sum(p.numel() for p in slider.parameters())
    seconds = json.loads((folder / "results.json").read_text())["seconds"]
    assert notes["expressions"] == sorted(notes["expressions"]) and set(notes["expressions"]) <= set(EXPRESSIONS)
    assert notes["cost"]["steps"] == 2 and notes["cost"]["seconds"] == round(seconds, 1)


def test_the_bench_edits_with_a_trained_method(trained, tmp_path):
    from pxs.data.synthetic_bench import mini_bench

    name, folder = trained
    task = mini_bench()[0]
    weights = {name: folder / "adapter.safetensors"}
    method = choose([name], steps=2, weights=weights)[name]
    images = method.edit(task, sweep(task.expression, [0, 0.5, 1]))
    assert [i.size for i in images] == [(128, 128)] * 3
    assert method.provenance["method"] == name and method.provenance["weights_hash"]


def test_an_interrupted_training_of_a_method_gives_the_same_file(rows, tmp_path):
    settings = choose_settings({**TINY, "method": "slideredit"}, rows)
    list(train(rows, settings, tmp_path / "whole"))
    interrupted = train(rows, settings, tmp_path / "parts")
    next(interrupted)
    interrupted.close()
    assert len(list(train(rows, settings, tmp_path / "parts"))) == 1
    files = [load_file(tmp_path / part / "adapter.safetensors") for part in ("whole", "parts")]
    assert all(torch.equal(files[0][key], files[1][key]) for key in files[0])


def test_weights_of_another_method_model_or_shape_are_refused(editor, tmp_path):
    slider = filled("attributecontrol", editor)
    base = editor.checkpoint.fingerprint
    for name, of, on, said in (
        ("method", "kslider", base, "holds weights of 'kslider'"),
        ("model", "attributecontrol", "another", "trained on another model"),
    ):
        (tmp_path / name).write_bytes(content(slider, of, on, EXPRESSIONS, Cost()))
        with pytest.raises(AdapterError, match=said):
            load_into(slider, tmp_path / name, "attributecontrol", base)
    (tmp_path / "shape").write_bytes(content(filled("kslider", editor), "attributecontrol", base, EXPRESSIONS, Cost()))
    with pytest.raises(AdapterError, match="does not fit"):
        load_into(slider, tmp_path / "shape", "attributecontrol", base)
    (tmp_path / "text").write_text("nothing")
    with pytest.raises(AdapterError, match="no file of a method's weights"):
        load_into(slider, tmp_path / "text", "attributecontrol", base)


@pytest.mark.parametrize("changes", [{"start": "default"}, {"recipe": "pixelsmile"}])
def test_what_is_for_the_adapter_is_refused(changes, rows):
    with pytest.raises(TrainingError, match="are not for method 'kslider'"):
        choose_settings({"method": "kslider", **changes}, rows)
    with pytest.raises(TrainingError, match="are not for method 'kslider'"):
        choose_settings({"method": "kslider"}, rows, "pixelsmile")


def test_samples_are_for_the_adapter_alone():
    with pytest.raises(TrainingError, match="sample_every 5"):
        Settings(method="kslider", sample_every=5)
