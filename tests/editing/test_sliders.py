"""What other methods add to the transformer: nothing while untrained, and then exactly what their formulas say."""

from copy import deepcopy

import pytest
import torch

from pxs.editing.sampling import pack
from pxs.editing.sliders import NAMES
from pxs.editing.sliders.registry import SLIDERS, hooked
from pxs.expressions import EXPRESSIONS

GRID, LENGTH = [[(1, 4, 4), (1, 4, 4)]], 15
INTENSITIES = torch.tensor([0.0, 0.5, 1.25])


@pytest.fixture(scope="module")
def inputs(editor):
    """Latents of target and source, embeddings of two prompts, and weights of one expression."""
    g = torch.Generator().manual_seed(2)
    image = torch.cat([pack(torch.randn(3, 16, 8, 8, generator=g)) for _ in range(2)], dim=1)
    width = editor.pipe.transformer.config.joint_attention_dim
    neutral, text = (torch.randn(1, LENGTH, width, generator=g).expand(3, -1, -1) for _ in range(2))
    weights = torch.zeros(3, 12)
    weights[:, EXPRESSIONS.index("sad")] = INTENSITIES
    return image, neutral, text, weights


@torch.no_grad()
def run(transformer, image, text):
    return transformer(
        hidden_states=image,
        encoder_hidden_states=text,
        timestep=torch.full((len(image),), 0.6),
        img_shapes=GRID * len(image),
        return_dict=False,
    )[0]


def filled(name, editor):
    slider = SLIDERS[name](editor.pipe.transformer).requires_grad_(False)
    g = torch.Generator().manual_seed(1)
    for p in slider.parameters():
        p.copy_(0.2 * torch.randn(p.shape, generator=g))
    return slider


@pytest.mark.parametrize("name", [name for name in NAMES if name != "saedit"])  # its features are random at first
def test_an_untrained_method_changes_no_bit_and_leaves_no_hook(name, editor, inputs):
    image, neutral, text, weights = inputs
    transformer = editor.pipe.transformer
    slider = SLIDERS[name](transformer)
    with torch.no_grad():
        own = slider.steer(neutral, text, weights)
        assert torch.equal(own, text if name in ("slideredit", "slideredit_st", "kslider") else neutral)
        with hooked(transformer, slider):
            assert torch.equal(run(transformer, image, own), run(transformer, image, own.clone()))
            changed = run(transformer, image, own)
    assert torch.equal(changed, run(transformer, image, own))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in transformer.modules())


@pytest.mark.parametrize("name", NAMES)
def test_a_method_at_rest_changes_nothing(name, editor, inputs):
    image, neutral, text, weights = inputs
    slider, transformer = filled(name, editor), editor.pipe.transformer
    slider.steer(neutral, text, weights)
    slider.rest()
    with hooked(transformer, slider):
        at_rest = run(transformer, image, text)
    assert torch.equal(at_rest, run(transformer, image, text))


def merged(transformer, lora, gate_of):
    """A copy of the transformer whose weights hold the LoRAs: W + sum_k g_k B_k A_k."""
    copy = deepcopy(transformer)
    for name in lora.names:
        key = name.replace(".", "/")
        down, up = lora.down[key], lora.up[key]
        ranks = range(0, len(down), lora.rank)
        change = sum(gate_of(k) * up[:, r : r + lora.rank] @ down[r : r + lora.rank] for k, r in enumerate(ranks))
        copy.get_submodule(name).weight.data += change
    return copy


@pytest.mark.parametrize(
    ("name", "gate_of"),
    [
        ("slideredit", lambda alpha: lambda k: 1 - alpha),
        ("conceptslider", lambda alpha: lambda k: alpha * (k == EXPRESSIONS.index("sad"))),
    ],
)
def test_gates_are_the_strength_of_merged_loras(name, gate_of, editor, inputs):
    image, neutral, text, weights = inputs
    slider, transformer = filled(name, editor), editor.pipe.transformer
    own = slider.steer(neutral, text, weights)
    with hooked(transformer, slider):
        found = run(transformer, image, own)
    for row, alpha in enumerate(INTENSITIES.tolist()):
        alone = run(merged(transformer, slider.lora, gate_of(alpha)), image[row : row + 1], own[row : row + 1])
        assert torch.allclose(found[row : row + 1], alone, rtol=1e-3, atol=1e-3 * float(alone.abs().max()))


def test_slideredit_at_intensity_one_is_the_model_itself(editor, inputs):
    image, neutral, text, _ = inputs
    slider, transformer = filled("slideredit", editor), editor.pipe.transformer
    weights = torch.zeros(3, 12)
    weights[:, 0] = 1
    own = slider.steer(neutral, text, weights)
    with hooked(transformer, slider):
        found = run(transformer, image, own)
    assert torch.equal(found, run(transformer, image, text))


def test_kslider_moves_shift_and_scale_of_the_text_before_its_mlp(editor, inputs):
    image, neutral, text, weights = inputs
    slider, transformer = filled("kslider", editor), editor.pipe.transformer
    own = slider.steer(neutral, text, weights)
    slider.lora.gates = None
    shift, scale = slider.modulation.offsets.unbind(1)
    with hooked(transformer, slider):
        found = run(transformer, image, own)
    d = shift.shape[1]

    def offset(module, args, output):  # [shift1, scale1, gate1, shift2, scale2, gate2]
        change = torch.zeros_like(output)
        change[:, 3 * d : 4 * d], change[:, 4 * d : 5 * d] = shift, scale
        return output + change

    handles = [block.txt_mod.register_forward_hook(offset) for block in transformer.transformer_blocks]
    expected = run(transformer, image, own)
    for handle in handles:
        handle.remove()
    assert torch.allclose(found, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))
    assert not torch.allclose(found, run(transformer, image, own), rtol=1e-2)


def test_kslider_is_the_published_network_of_the_scale(editor, inputs):
    _, _, text, _ = inputs
    m = filled("kslider", editor).modulation
    for scale in (0.0, 0.4, 1.0):
        angle = torch.tensor([torch.pi * scale])
        x = torch.cat([m.position(torch.cat([angle.sin(), angle.cos()])), text[0, -13:-5].mean(dim=0)])
        for layer in m.network[:-1]:
            x = (layer[0].weight @ x + layer[0].bias).clamp(min=0)
        expected = m.network[-1](x).view(2, -1)
        assert torch.allclose(m(torch.tensor([scale]), text[:1])[0], expected, rtol=1e-3, atol=1e-4)


def test_saedit_moves_the_word_along_the_features_that_the_expression_adds(editor, inputs):
    _, neutral, text, weights = inputs
    slider = filled("saedit", editor)
    change = slider.steer(neutral, text, weights) - neutral

    def codes(rows):
        found = []
        for x in rows[-13:]:
            z = (slider.encoder @ (x / (x @ x / len(x)).sqrt() - slider.centre) + slider.threshold).clamp(min=0)
            z[z.argsort(descending=True)[16:]] = 0
            found.append(z)
        return torch.stack(found).max(dim=0).values

    g = (codes(text[0]) - codes(neutral[0])).clamp(min=0)
    g[g.argsort(descending=True)[8:]] = 0
    word = neutral[0, LENGTH - 7]
    expected = (word @ word / len(word)).sqrt() * (slider.decoder @ (g / g.norm()))
    assert torch.allclose(change[:, LENGTH - 7], INTENSITIES[:, None] * expected, rtol=1e-3, atol=1e-4)
    change[:, LENGTH - 7] = 0
    assert not change.any()


def test_attributecontrol_moves_the_subject_alone(editor, inputs):
    _, neutral, text, weights = inputs
    slider = filled("attributecontrol", editor)
    change = slider.steer(neutral, text, weights) - neutral
    vector = slider.vectors[EXPRESSIONS.index("sad")]
    assert torch.allclose(change[:, LENGTH - 11], INTENSITIES[:, None] * vector, atol=1e-5)
    change[:, LENGTH - 11] = 0
    assert not change.any()
