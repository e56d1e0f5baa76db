"""Prompts encoded as one prefix and many suffixes against the stock pipeline's encoding of each in full."""

import pytest
import torch
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from pxs.editing.bundled import BUNDLED
from pxs.editing.conditioning import condition_image, embed_expressions, encode_prompts
from pxs.editing.exact.prompt_prefix import PICTURE, encode_shared, shared_length
from pxs.errors import ModelError
from pxs.expressions import EXPRESSIONS, NEUTRAL, prompt
from pxs.faces.draw import draw
from pxs.faces.identity import Identity, seeds

FACE = draw(Identity.sample(seeds("gallery", 1)[0]))
HAPPY, SAD = prompt("happy"), prompt("sad")


@pytest.fixture(params=["one image token", "many image tokens"])
def pipe(request, editor, monkeypatch):
    """The embedded model's pipeline, also with an image of 4 x 4 tokens, which is where positions have three axes."""
    if request.param == "many image tokens":
        size = {"shortest_edge": 112 * 112, "longest_edge": 112 * 112}
        images = Qwen2VLImageProcessorPil.from_pretrained(BUNDLED["mini"] / "processor", size=size)
        monkeypatch.setattr(editor.pipe.processor, "image_processor", images)
    return editor.pipe


@pytest.mark.parametrize("domain", ["human", "anime"])
def test_the_embeddings_of_all_expressions_are_those_of_the_plain_path(pipe, domain):
    ours, plain = (embed_expressions(pipe, FACE, domain, encode) for encode in (encode_shared, encode_prompts))
    assert list(ours) == list(plain) == [NEUTRAL, *EXPRESSIONS]
    for word, expected in plain.items():
        assert ours[word].shape == expected.shape and ours[word].dtype == expected.dtype
        torch.testing.assert_close(ours[word], expected, atol=1e-5, rtol=0, msg=word)


def test_a_picture_that_is_not_square_makes_no_difference(pipe):
    wide = FACE.resize((192, 96))
    ours, plain = (encode(pipe, wide, [HAPPY, SAD]) for encode in (encode_shared, encode_prompts))
    torch.testing.assert_close(ours, plain, atol=1e-5, rtol=0)


def test_what_comes_before_the_expression_is_the_same_to_the_last_bit(pipe):
    happy, sad = encode_shared(pipe, FACE, [HAPPY, SAD])
    assert torch.equal(happy[:-7], sad[:-7]) and (happy[-7:] != sad[-7:]).any(dim=1).all()


def test_a_token_of_the_picture_has_a_row_and_a_column(pipe):
    asked, decoder = [], pipe.text_encoder.model.language_model
    hook = decoder.register_forward_pre_hook(lambda _, given, named: asked.append(named), with_kwargs=True)
    embed_expressions(pipe, FACE, "human", encode_prompts)
    hook.remove()
    text = pipe.prompt_template_encode.format(PICTURE + HAPPY)
    given = pipe.processor(text=[text], images=[condition_image(pipe, FACE)], return_tensors="pt")
    picture = (given["input_ids"][0] == pipe.text_encoder.config.image_token_id).nonzero().flatten()
    side = int(len(picture) ** 0.5)
    time, rows, columns = asked[0]["position_ids"][:, 0, picture] - picture[0]
    assert not time.any()
    assert rows.tolist() == [i // side for i in range(len(picture))]
    assert columns.tolist() == [i % side for i in range(len(picture))]


def test_the_picture_and_the_shared_words_are_read_once(editor):
    encoder, pictures, words = editor.pipe.text_encoder.model, [], []
    hooks = [
        encoder.visual.register_forward_pre_hook(lambda _, given, named: pictures.append(1), with_kwargs=True),
        encoder.language_model.layers[0].register_forward_pre_hook(lambda _, given: words.append(given[0].shape[:2])),
    ]
    embeddings = embed_expressions(editor.pipe, FACE, "human", encode_shared)
    for hook in hooks:
        hook.remove()
    (one, start), (many, rest) = words
    whole = len(embeddings[NEUTRAL]) + editor.pipe.prompt_template_encode_start_idx
    assert len(pictures) == 1 and (one, many, rest, start + rest) == (1, 13, 7, whole)


@pytest.mark.parametrize("prompts", [[HAPPY], [HAPPY, HAPPY]], ids=["one", "the same twice"])
def test_prompts_without_an_end_of_their_own_take_the_plain_path(editor, prompts):
    assert torch.equal(encode_shared(editor.pipe, FACE, prompts), encode_prompts(editor.pipe, FACE, prompts))


def test_prompts_that_share_no_more_than_what_is_dropped_take_the_plain_path(editor, monkeypatch):
    monkeypatch.setattr("pxs.editing.exact.prompt_prefix.shared_length", lambda ids: 64)
    assert torch.equal(encode_shared(editor.pipe, FACE, [HAPPY, SAD]), encode_prompts(editor.pipe, FACE, [HAPPY, SAD]))


def test_prompts_of_unequal_length_are_refused_as_by_the_plain_path(editor):
    with pytest.raises(ModelError, match="different numbers of tokens"):
        encode_shared(editor.pipe, FACE, [HAPPY, prompt("happy").replace("happy", "gleeful")])


def test_positions_that_another_call_left_behind_do_not_count(editor, monkeypatch):
    expected = encode_prompts(editor.pipe, FACE, [HAPPY, SAD])
    monkeypatch.setattr(editor.pipe.text_encoder.model, "rope_deltas", torch.tensor([[5]]))
    torch.testing.assert_close(encode_shared(editor.pipe, FACE, [HAPPY, SAD]), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("rows", "length"),
    [([[1, 2, 3], [1, 2, 4]], 2), ([[1, 2, 3], [0, 2, 3]], 0), ([[1, 2], [1, 2]], 2), ([[5, 6, 7]], 3)],
)
def test_the_shared_length_ends_at_the_first_difference(rows, length):
    assert shared_length(torch.tensor(rows)) == length
