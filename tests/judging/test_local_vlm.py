"""A local vision-language model as a judge: a tiny random LLaVA, loaded as any checkpoint is."""

import json
from pathlib import Path

import pytest
import torch
from transformers import (
    CLIPVisionConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    Qwen2Config,
    Qwen2Tokenizer,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

import pxs.mini
from pxs.errors import JudgeError, JudgeSetupError, UnjudgedError
from pxs.expressions import EXPRESSIONS, Mix
from pxs.judging import expression_judge
from pxs.judging.local_vlm import LocalVlmJudge
from pxs.judging.rubric import CUES, PROMPT, PROMPT_VERSION

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|image_pad|>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
GOOD = dict.fromkeys(EXPRESSIONS, 0.0) | {"happy": 0.85, "shy": 0.5}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A checkpoint of LLaVA with two tiny random towers, the tokenizer of mini, and a template for pictures."""
    target = tmp_path_factory.mktemp("vlm") / "tiny-vlm"
    torch.manual_seed(0)
    tokenizer = Qwen2Tokenizer.from_pretrained(Path(pxs.mini.__file__).parent / "weights" / "processor")
    sizes = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**sizes, image_size=28, patch_size=14, projection_dim=32),
        text_config=Qwen2Config(
            **sizes, num_key_value_heads=2, vocab_size=len(tokenizer), max_position_embeddings=8192
        ),
        image_token_index=tokenizer.convert_tokens_to_ids("<|image_pad|>"),
        image_seq_length=4,
    )
    model = LlavaForConditionalGeneration(config)
    model.generation_config.eos_token_id = model.generation_config.pad_token_id = tokenizer.eos_token_id
    model.save_pretrained(target)
    square = {"height": 28, "width": 28}
    LlavaProcessor(
        CLIPImageProcessorPil(size={"shortest_edge": 28}, crop_size=square),
        tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        chat_template=TEMPLATE,
        image_token="<|image_pad|>",
        num_additional_image_tokens=1,
    ).save_pretrained(target)
    return target


@pytest.fixture(scope="module")
def judge(folder):
    return LocalVlmJudge.from_folder(folder)


@pytest.fixture
def says(judge):
    """A function that makes the model say a text, whatever it sees; it returns the shapes of what the model saw."""
    handles = []

    def set_to(text):
        tokens = [*judge.processor.tokenizer.encode(text), judge.model.generation_config.eos_token_id]
        seen = []

        def change(_module, _inputs, output):
            output = torch.full_like(output, -1e9)
            output[..., tokens[min(len(seen), len(tokens) - 1)]] = 0
            seen.append(output.shape)
            return output

        handles.append(judge.model.lm_head.register_forward_hook(change))
        return seen

    yield set_to
    for handle in handles:
        handle.remove()


def test_the_answer_of_the_model_becomes_a_mix(judge, says, picture):
    says(f"```json\n{json.dumps(GOOD)}\n```")
    assert judge.judge([picture()]) == [Mix(happy=0.85, shy=0.5)]
    assert judge.role == "score" and judge.name == f"tiny-vlm {PROMPT_VERSION}"


def test_the_model_gets_the_picture_and_the_rubric(judge, picture, monkeypatch):
    asked = []

    def generate(**inputs):
        asked.append(inputs)
        return torch.cat([inputs["input_ids"], torch.tensor([judge.processor.tokenizer.encode("no")])], dim=1)

    monkeypatch.setattr(judge.model, "generate", generate)
    assert judge.answer(picture()) == "no"
    assert judge.answer(picture(1)) == "no"
    first, second = asked
    text = judge.processor.decode(first["input_ids"][0])
    assert PROMPT in text and all(cue in text for cue in CUES.values()) and text.endswith("<|im_start|>assistant\n")
    assert not torch.equal(first["pixel_values"], second["pixel_values"])
    assert first["do_sample"] is False


def test_a_random_model_gives_no_usable_answer_in_one_line_and_twice_the_same(judge, picture):
    short = LocalVlmJudge(judge.model, judge.processor, "tiny", tokens=8)
    assert short.answer(picture()) == short.answer(picture())
    with pytest.raises(UnjudgedError, match="^picture 0: no usable answer from tiny .*: try another model") as caught:
        short.judge([picture()])
    assert "\n" not in str(caught.value)


def test_a_refusal_costs_the_other_pictures_nothing(judge, says, picture, monkeypatch):
    answers = iter(["I'm sorry, I cannot judge people.", json.dumps(GOOD)])
    monkeypatch.setattr(judge, "answer", lambda image: next(answers))
    with pytest.raises(UnjudgedError, match="picture 0: the model refused") as caught:
        judge.judge([picture(), picture(1)])
    assert caught.value.found == [None, Mix(happy=0.85, shy=0.5)]


def test_what_is_no_model_is_one_line(tmp_path, judge):
    for place in (tmp_path, tmp_path / "missing", "somebody/no-such-model"):
        with pytest.raises(JudgeSetupError, match="is no vision-language model that is on disk"):
            expression_judge("vlm", model=str(place))
    with pytest.raises(JudgeError, match="give --judge-model"):
        expression_judge("vlm")
    with pytest.raises(JudgeSetupError, match="no chat template"):
        LocalVlmJudge(judge.model, object(), "base")
