"""SliderEdit's ST: each instruction of a prompt has its own tokens, and the LoRA acts on them as its slider says."""

import pytest
import torch
import torch.nn.functional as F

from pxs.editing.sampling import pack
from pxs.editing.sliders.instructions import joint_prompt, shares
from pxs.editing.sliders.registry import SLIDERS, hooked
from pxs.expressions import EXPRESSIONS

WORDS = ("happy", "surprised")
HAPPY, SURPRISED = (EXPRESSIONS.index(word) for word in WORDS)
BEFORE = 4  # tokens of the picture and of the template, before the instructions


@pytest.fixture(scope="module")
def own(editor):
    """The shares of two instructions."""
    return shares(editor.pipe, WORDS, "human")


@pytest.fixture(scope="module")
def inputs(editor, own):
    """Latents of target and source, and embeddings of the joint prompt, for two edits."""
    g = torch.Generator().manual_seed(2)
    image = torch.cat([pack(torch.randn(2, 16, 8, 8, generator=g)) for _ in range(2)], dim=1)
    width = editor.pipe.transformer.config.joint_attention_dim
    return image, torch.randn(2, BEFORE + len(own), width, generator=g)


def intensities(*rows):
    """Weights (N, 12) from pairs of happy and surprised."""
    found = torch.zeros(len(rows), len(EXPRESSIONS))
    found[:, [HAPPY, SURPRISED]] = torch.tensor(rows)
    return found


@torch.no_grad()
def run(transformer, image, text):
    return transformer(
        hidden_states=image,
        encoder_hidden_states=text,
        timestep=torch.full((len(image),), 0.6),
        img_shapes=[[(1, 4, 4), (1, 4, 4)]] * len(image),
        return_dict=False,
    )[0]


def filled(name, editor):
    slider = SLIDERS[name](editor.pipe.transformer).requires_grad_(False)
    g = torch.Generator().manual_seed(1)
    for p in slider.parameters():
        p.copy_(0.2 * torch.randn(p.shape, generator=g))
    return slider


@pytest.fixture(scope="module")
def slider(editor):
    return filled("slideredit_st", editor)


def close(found, expected):
    return torch.allclose(found, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))


def tokens(editor, text):
    """The words of a text about a picture, as the text encoder gets them."""
    ids = editor.pipe.processor.tokenizer(editor.pipe.prompt_template_encode.format(text))["input_ids"]
    return [editor.pipe.processor.tokenizer.decode([i]) for i in ids]


@pytest.mark.parametrize(("domain", "subject"), [("human", "person"), ("anime", "character")])
def test_each_instruction_owns_its_tokens_and_all_own_the_end(domain, subject, editor):
    words = ("sad", "fear", "shy")
    found = shares(editor.pipe, words, domain)
    read = tokens(editor, joint_prompt(words, domain))[-len(found) :]
    owned = {
        word: "".join(t for t, row in zip(read, found, strict=True) if row[EXPRESSIONS.index(word)] == 1)
        for word in words
    }
    for word, text in owned.items():
        stop = "" if word == "shy" else " and"
        assert text.strip() == f"Edit the {subject} to show a {word} expression{stop}"
    end = [row for row in found if row.max() < 1]
    assert "".join(read[-len(end) :]) == "<|im_end|>\n<|im_start|>assistant\n"
    assert all(torch.allclose(row[[EXPRESSIONS.index(word) for word in words]], torch.tensor(1 / 3)) for row in end)
    assert torch.allclose(found.sum(dim=1), torch.ones(len(found)))


def test_a_prompt_of_one_expression_is_its_own_and_its_slider_acts_where_the_same_tokens_are(editor, slider, inputs):
    found = shares(editor.pipe, ["shy"], "human")
    assert joint_prompt(["shy"], "anime") == "Edit the character to show a shy expression"
    weights = F.one_hot(torch.tensor([EXPRESSIONS.index("shy")] * 2), len(EXPRESSIONS)) * torch.tensor([[0.25], [1.5]])
    slider.steer_each(inputs[1], found, weights)
    gates = slider.lora.gates
    slider.steer(inputs[1], inputs[1], weights)
    assert torch.equal(gates, slider.lora.gates)
    assert torch.equal(gates[:, :-13], torch.zeros_like(gates[:, :-13]))
    assert torch.equal(gates[:, -13:, 0], torch.tensor([[0.75], [-0.5]]).expand(2, 13))


def test_untrained_or_with_all_sliders_at_rest_it_is_the_model_to_the_bit(editor, slider, inputs, own):
    image, text = inputs
    transformer = editor.pipe.transformer
    plain = run(transformer, image, text)
    untrained = SLIDERS["slideredit_st"](transformer).requires_grad_(False)
    for part, weights in (
        (untrained, intensities((0.0, 0.5), (1.5, 0.0))),
        (slider, intensities((1.0, 1.0), (1.0, 1.0))),
    ):
        assert part.steer_each(text, own, weights) is text
        with hooked(transformer, part):
            found = run(transformer, image, text)
        assert torch.equal(found, plain)
    slider.steer_each(text, own, intensities((1.0, 0.5), (1.0, 1.0)))
    with hooked(transformer, slider):
        assert not torch.allclose(run(transformer, image, text)[0], plain[0], rtol=1e-2)


def by_formula(transformer, slider, image, text, strength):
    """The model whose text layers give each token W x + g B A x, written out token by token; strength (N, L)."""
    handles = []
    for name in slider.lora.names:
        change = slider.lora.up[name.replace(".", "/")] @ slider.lora.down[name.replace(".", "/")]

        def each(layer, args, output, change=change):
            result = output.clone()
            for n, row in enumerate(strength):
                for t, g in enumerate(row.tolist()):
                    result[n, t] = (layer.weight + g * change) @ args[0][n, t] + layer.bias
            return result

        handles.append(transformer.get_submodule(name).register_forward_hook(each))
    expected = run(transformer, image, text)
    for handle in handles:
        handle.remove()
    return expected


def test_several_sliders_act_at_once_each_on_its_own_tokens(editor, slider, inputs, own):
    image, text = inputs
    transformer = editor.pipe.transformer
    pairs = [(0.5, 1.0), (0.25, -0.5)]
    slider.steer_each(text, own, intensities(*pairs))
    with hooked(transformer, slider):
        found = run(transformer, image, text)
    strength = torch.zeros(text.shape[:2])
    for n, (happy, surprised) in enumerate(pairs):
        for t, row in enumerate(own.tolist()):
            strength[n, BEFORE + t] = row[HAPPY] * (1 - happy) + row[SURPRISED] * (1 - surprised)
    assert close(found, by_formula(transformer, slider, image, text, strength))
    assert all(name.split(".")[2] in ("attn", "txt_mlp") for name in slider.lora.names)
    assert not any(part in name for name in slider.lora.names for part in ("to_q", "to_k", "to_v", "to_out", "img"))


def test_with_one_expression_it_is_gst_without_its_image_layers_and_without_the_tokens_before(editor, slider, inputs):
    image, text = inputs
    transformer, gst = editor.pipe.transformer, filled("slideredit", editor)
    for name in gst.lora.names:
        key, shared = name.replace(".", "/"), name in slider.lora.names
        gst.lora.down[key].copy_(slider.lora.down[key] if shared else gst.lora.down[key])
        gst.lora.up[key].copy_(slider.lora.up[key] if shared else torch.zeros_like(gst.lora.up[key]))
    weights, results = intensities((0.25, 0.0), (1.5, 0.0)), []
    for words in (text[:, -13:], text):
        for part in (gst, slider):
            given = part.steer(words, words, weights)
            with hooked(transformer, part):
                results.append(run(transformer, image, given))
    assert close(results[1], results[0])
    assert not close(results[3], results[2])
    strength = torch.tensor([[0.75], [-0.5]]) * (torch.arange(text.shape[1]) >= text.shape[1] - 13)
    assert close(results[3], by_formula(transformer, slider, image, text, strength))


def test_up_to_the_first_attention_a_slider_leaves_the_tokens_of_the_other_instruction_as_they_are(
    editor, slider, inputs, own
):
    image, text = inputs
    transformer = editor.pipe.transformer
    first = transformer.transformer_blocks[0].attn

    def projected(weights):
        slider.steer_each(text, own, weights)
        seen, layers = [], (first.add_q_proj, first.add_k_proj, first.add_v_proj)
        with hooked(transformer, slider):
            handles = [layer.register_forward_hook(lambda m, args, out: seen.append(out[0])) for layer in layers]
            run(transformer, image, text)
        for handle in handles:
            handle.remove()
        return torch.stack(seen)

    plain, moved = projected(intensities((1.0, 1.0), (1.0, 1.0))), projected(intensities((0.0, 1.0), (0.0, 1.0)))
    of_happy = F.pad(own[:, HAPPY], (BEFORE, 0)) > 0
    assert torch.equal(moved[:, ~of_happy], plain[:, ~of_happy])
    assert (moved - plain)[:, of_happy].abs().amax(dim=-1).min() > 0
    assert 0 < int(of_happy.sum()) < int((own.sum(dim=1) > 0).sum())
