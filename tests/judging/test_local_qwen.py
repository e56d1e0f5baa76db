"""The local Qwen judge on the text encoder of `mini`. Its weights are random, so answers have no meaning."""

import numpy as np
import pytest
import torch
from PIL import Image

from pxs.editing.conditioning import embed_expressions
from pxs.errors import JudgeError
from pxs.expressions import EXPRESSIONS
from pxs.judging import local_qwen
from pxs.judging.local_qwen import LocalQwenJudge


@pytest.fixture(scope="module")
def judge(editor):
    return LocalQwenJudge.from_editor(editor)


@pytest.fixture
def set_logits(editor):
    """A function that sets the logits of some tokens of the model, and all others to 0."""
    handles = []

    def set_to(logits):
        def change(_module, _inputs, output):
            output = torch.zeros_like(output)
            for token, value in logits.items():
                output[..., token] = value
            return output

        handles.append(editor.pipe.text_encoder.lm_head.register_forward_hook(change))

    yield set_to
    for handle in handles:
        handle.remove()


def test_it_judges_every_expression(judge, editor, picture):
    mixes = judge.judge([picture(), picture(1, (64, 200))])
    values = np.array([mix.vector() for mix in mixes])
    assert values.shape == (2, 12)
    assert ((values >= 0) & (values <= 1)).all()
    assert len(np.unique(values.round(6))) > 12
    assert judge.role == "score"
    assert judge.name == f"local-qwen {editor.checkpoint.fingerprint[:8]}"


def test_answers_do_not_depend_on_batches(judge, editor, picture):
    pictures = [picture(seed) for seed in range(3)]
    together = np.array([mix.vector() for mix in judge.judge(pictures)])
    again = np.array([mix.vector() for mix in judge.judge(pictures)])
    assert (together == again).all()
    for batch in (1, 5):
        one = LocalQwenJudge.from_editor(editor, batch=batch)
        assert np.allclose([mix.vector() for mix in one.judge(pictures[:1])], together[:1], atol=1e-5)


def test_an_answer_equals_that_of_the_stock_forward_pass(judge, editor, picture):
    model, processor = editor.pipe.text_encoder, editor.pipe.processor
    chat = local_qwen.CHAT.format(picture=local_qwen.IMAGE_TOKEN, question=local_qwen.QUESTION.format(expression="shy"))
    inputs = processor([chat], [picture()])
    kinds = (inputs["input_ids"] == model.config.image_token_id).int()
    with torch.inference_mode():
        logits = model(**inputs, mm_token_type_ids=kinds).logits[0, -1]
    digits = processor.tokenizer.convert_tokens_to_ids(list("0123456789"))
    expected = float(logits[digits].softmax(0) @ torch.arange(10.0)) / 9
    assert judge.judge([picture()])[0]["shy"] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("digit", range(10))
def test_a_certain_digit_gives_its_ninth(judge, set_logits, picture, digit):
    set_logits({judge.digits[digit].item(): 50.0})
    assert judge.judge([picture()])[0].vector() == pytest.approx([digit / 9] * 12, abs=1e-6)


def test_an_uncertain_answer_gives_the_expected_digit_among_digits_only(judge, set_logits, picture):
    set_logits({judge.digits[2].item(): 30.0, judge.digits[6].item(): 30.0, 0: 90.0, 400: 90.0})
    assert judge.judge([picture()])[0].vector() == pytest.approx([4 / 9] * 12, abs=1e-6)


def test_an_answer_that_is_not_finite_is_an_error(judge, set_logits, picture):
    set_logits({judge.digits[3].item(): float("nan")})
    with pytest.raises(JudgeError, match="^picture 0: .* not finite"):
        judge.judge([picture()])


def test_judging_does_not_change_the_editor(judge, editor, picture):
    before = embed_expressions(editor.pipe, picture(size=(64, 64)), "human")
    judge.judge([picture(5)])
    after = embed_expressions(editor.pipe, picture(size=(64, 64)), "human")
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_large_pictures_are_scaled_down_and_small_ones_kept(picture):
    assert local_qwen._resized(picture(size=(2048, 512))).size == (1024, 256)
    assert local_qwen._resized(Image.new("L", (512, 512))).size == (512, 512)
    assert local_qwen._resized(picture(size=(300_000, 1))).height == 1


class Tokens:
    """A tokenizer that answers with these ids."""

    def __init__(self, ids):
        self.ids = ids

    def encode(self, text, add_special_tokens):
        assert not add_special_tokens
        return self.ids[int(text)]


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([[i] for i in range(7)] + [[7, 8], [9], [10]], "the digit 7 is not one token"),
        ([[i] for i in range(9)] + [[]], "the digit 9 is not one token"),
        ([[0]] * 10, "one token for several digits"),
    ],
)
def test_digits_must_be_single_tokens(editor, ids, message):
    processor = type("Fake", (), {"tokenizer": Tokens(ids)})()
    with pytest.raises(JudgeError, match=message):
        LocalQwenJudge(editor.pipe.text_encoder, processor)


def test_a_model_without_a_language_head_is_rejected(editor):
    with pytest.raises(JudgeError, match="Qwen2_5_VLModel has no language head"):
        LocalQwenJudge(editor.pipe.text_encoder.model, editor.pipe.processor)
    with pytest.raises(JudgeError, match="a batch of 0 questions is too small"):
        LocalQwenJudge.from_editor(editor, batch=0)


def test_an_editor_without_text_encoder_is_rejected(editor, monkeypatch):
    monkeypatch.setattr(editor.pipe, "text_encoder", None)
    with pytest.raises(JudgeError, match="without its text encoder"):
        LocalQwenJudge.from_editor(editor)


def test_questions_differ():
    assert len({local_qwen._question(name) for name in EXPRESSIONS}) == 12
