"""What endpoints answer: sound answers in any wrapping are read, and everything else is told apart."""

import json

import pytest
from local_endpoint import Endpoint, body
from local_server import KEY

from pxs.errors import JudgeError, JudgeSetupError, UnjudgedError
from pxs.expressions import EXPRESSIONS, Mix
from pxs.judging import expression_judge
from pxs.judging.endpoint import PATIENCE, EndpointJudge, checked_address

VARIABLE = "PXS_TEST_KEY"
GOOD = dict.fromkeys(EXPRESSIONS, 0.0) | {"happy": 0.85, "confident": 0.55, "sleepy": 1}
JSON = json.dumps(GOOD)
MIX = Mix(happy=0.85, confident=0.55, sleepy=1)


@pytest.fixture
def endpoint(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv(VARIABLE, KEY)
    with Endpoint() as server:
        yield server


def judge_at(endpoint, **settings):
    return EndpointJudge(endpoint.url, "seer", VARIABLE, **{"retries": 0, **settings})


def message(content, finish="stop", **more):
    """A whole response with this content of its message."""
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": content, **more}}
    return 200, body("") | {"choices": [choice]}


SOUND = {
    "in a fence": f"```json\n{JSON}\n```",
    "in a fence without a language": f"```\n{JSON}\n```",
    "after prose": f"Here is {{my}} rating:\n{JSON}\nI hope that it helps.",
    "after thoughts": f"<think>A {{smile}}: {json.dumps(GOOD | {'happy': 0.1})}?</think>\n\n{JSON}",
    "after thoughts, in a fence": f"<think>hm</think>\n```json\n{json.dumps(GOOD, indent=2)}\n```",
    "behind a byte order mark": f"\ufeff{JSON}\n\n",
    "in an object": json.dumps({"expressions": GOOD}),
    "in a list": json.dumps([GOOD]),
    "twice": JSON + JSON,
    "beyond 1 by rounding": json.dumps(GOOD | {"sleepy": 1.0000001}),
    "in parts": message([{"type": "text", "text": JSON[:40]}, {"type": "text", "text": JSON[40:]}]),
    "in parts, after a thought": message([{"type": "thinking", "text": "{}"}, {"type": "text", "text": JSON}]),
    "beside thoughts": message(JSON, reasoning_content="{hm"),
    "in the thoughts alone": message(None, reasoning_content=JSON),
    "cut after the end": message(JSON, finish="length"),
}


@pytest.mark.parametrize("answer", SOUND.values(), ids=SOUND)
def test_a_sound_answer_is_read_in_any_wrapping(endpoint, picture, answer):
    endpoint.answers = [answer]
    assert judge_at(endpoint).judge([picture()]) == [MIX]
    assert len(endpoint.requests) == 1


FILTERED = {"error": {"message": "filtered by our content management policy", "code": "content_filter"}}
REFUSED = {
    "a refusal": (message(None, refusal="I cannot judge this person"), "refused: 'I cannot judge this person'"),
    "an apology": ("I'm sorry, but I can't help with people.", "refused: \"I'm sorry"),
    "a filtered answer": (message("", finish="content_filter"), "a content filter withheld the answer"),
    "a filtered request": ((400, FILTERED), "a content filter withheld the answer (filtered by"),
    "a filter with status 200": ((200, FILTERED), "a content filter withheld the answer (filtered by"),
}


@pytest.mark.parametrize(("answer", "says"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_is_told_and_not_requested_again(endpoint, picture, answer, says):
    endpoint.answers = [answer]
    with pytest.raises(JudgeError) as caught:
        judge_at(endpoint, retries=4).judge([picture()])
    assert says in str(caught.value) and str(caught.value).startswith("picture 0: ") and len(endpoint.requests) == 1
    assert str(caught.value).count("picture 0") == 1


USELESS = {
    "nothing": (message(None), "the answer is empty"),
    "a cut answer": (message(JSON[:60], finish="length"), "cut short at the model's limit"),
    "prose": ("Very happy!", "'Very happy!' has no JSON object"),
    "other keys": (json.dumps({"joy": 1}), "does not have the 12 expressions"),
    "no message": ((200, body("") | {"choices": None}), "has no message"),
    "a text for a choice": ((200, body("") | {"choices": ["x"]}), "has no message"),
}


@pytest.mark.parametrize(("answer", "says"), USELESS.values(), ids=USELESS)
def test_answers_without_a_mix_are_told_apart(endpoint, picture, answer, says):
    endpoint.answers = [answer]
    with pytest.raises(UnjudgedError, match="^picture 0: no usable answer from 'seer' in 1 try") as caught:
        judge_at(endpoint).judge([picture()])
    assert says in str(caught.value)


SETUP = {
    "an unknown key": ((401, {"error": {"message": f"wrong key {KEY}"}}), "401 - wrong key ***"),
    "an unknown model": ((404, {"error": {"message": "no model 'seer'"}}), "no model 'seer'"),
    "no money": ((402, {"error": {"message": "pay first"}}), "pay first"),
    "a bad request": ((400, {"error": {"message": "no pictures here"}}), "no pictures here"),
    "an error with status 200": (
        (200, {"error": {"message": "it failed", "code": 502}}),
        "it failed (502)",
    ),
    "an error as text": ((200, {"error": "out of order"}), "is an error: out of order"),
    "a login page": (b"<html>log in</html>", "'<html>log in</html>' is not JSON"),
    "a list": (b"[1]", "'[1]' is not an object"),
    "too many requests": ((429, {"error": {"message": "slow down"}}), "429 - slow down"),
    "a server that fails": ((503, {}), "503"),
}


@pytest.mark.parametrize(("answer", "says"), SETUP.values(), ids=SETUP)
def test_what_would_fail_for_every_picture_ends_it_at_the_first(endpoint, picture, answer, says):
    endpoint.answers = [answer]
    with pytest.raises(JudgeSetupError) as caught:
        judge_at(endpoint).judge([picture(), picture(1)])
    assert says in str(caught.value) and "\n" not in str(caught.value) and KEY not in str(caught.value)
    assert len(endpoint.requests) == 1


def test_a_request_that_is_rejected_after_an_answer_is_a_matter_of_its_picture(endpoint, picture):
    endpoint.answers = [JSON, (413, {"error": {"message": "too large"}}), JSON]
    with pytest.raises(UnjudgedError, match="^picture 1: .*too large") as caught:
        judge_at(endpoint).judge([picture(i) for i in range(3)])
    assert caught.value.found == [MIX, None, MIX] and list(caught.value.reasons) == [1]


def without(*names):
    """An endpoint that rejects these options by name."""

    def answer(request):
        wrong = [name for name in names if name in request]
        return (400, {"error": {"message": f"'{wrong[0]}' is not supported", "param": wrong[0]}}) if wrong else JSON

    return answer


@pytest.mark.parametrize(
    "names", [("temperature",), ("response_format",), ("temperature", "response_format")], ids=" ".join
)
def test_an_option_that_is_rejected_is_left_out_from_then_on(endpoint, picture, tmp_path, names):
    endpoint.answers = [without(*names)]
    judge = judge_at(endpoint, cache=tmp_path)
    assert judge.judge([picture(i) for i in range(3)]) == [MIX] * 3
    assert len(endpoint.requests) == 3 + len(names) and judge.usage.calls == 3
    assert json.loads(next(tmp_path.iterdir()).read_text())["without"] == sorted(names)


def test_a_rate_limit_is_waited_for_a_bounded_number_of_times(endpoint, picture):
    endpoint.answers = [(429, {"error": {"message": "slow"}}), (429, {"error": {"message": "slow"}}), JSON]
    assert judge_at(endpoint, retries=2).judge([picture()]) == [MIX]
    assert len(endpoint.requests) == 3
    endpoint.answers = [(429, {"error": {"message": "slow"}})]
    with pytest.raises(JudgeSetupError, match="slow"):
        judge_at(endpoint, retries=1).judge([picture()])
    assert len(endpoint.requests) == 5


def test_an_unusable_answer_is_requested_twice_more_at_most(endpoint, picture):
    endpoint.answers = ["nonsense"]
    with pytest.raises(JudgeError, match="in 3 tries"):
        judge_at(endpoint, retries=9).judge([picture()])
    assert len(endpoint.requests) == 3


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (None, (0, 0)),
        ("many", (0, 0)),
        ({"prompt_tokens": "10", "completion_tokens": None}, (0, 0)),
        ({"prompt_tokens": 10.0, "completion_tokens": True}, (10, 0)),
        ({"prompt_tokens": -5, "completion_tokens": [1]}, (0, 0)),
        ({"prompt_tokens": 1e400, "completion_tokens": 10**400}, (0, 0)),
        ({"prompt_tokens": float("nan"), "completion_tokens": 7}, (0, 7)),
    ],
)
def test_counts_that_are_no_numbers_count_as_0(endpoint, picture, usage, tokens):
    endpoint.answers = [(200, body(JSON) | {"usage": usage})]
    judge = judge_at(endpoint, prices=(1, 2))
    assert judge.judge([picture()]) == [MIX]
    assert (judge.usage.input_tokens, judge.usage.output_tokens) == tokens
    assert judge.usage.cost == pytest.approx((tokens[0] + 2 * tokens[1]) / 1e6)


def test_nothing_is_paid_twice(endpoint, picture, tmp_path):
    refusal = message(None, refusal="not this one")
    endpoint.answers = [JSON, refusal, JSON]
    pictures = [picture(0), picture(0), picture(1), picture(2), picture(0)]
    with pytest.raises(UnjudgedError, match="picture 2: the model refused"):
        judge_at(endpoint, cache=tmp_path).judge(pictures)
    assert len(endpoint.requests) == 3
    assert judge_at(endpoint, cache=tmp_path).judge(pictures) == [MIX] * 5
    assert len(endpoint.requests) == 4


def test_equal_pictures_are_asked_for_once_without_a_cache_too(endpoint, picture):
    endpoint.answers = [JSON]
    assert judge_at(endpoint).judge([picture()] * 13) == [MIX] * 13
    assert len(endpoint.requests) == 1


def test_a_model_that_refuses_everything_is_given_up(endpoint, picture):
    endpoint.answers = [message(None, refusal="no people")]
    with pytest.raises(JudgeSetupError, match="no people.*pictures before it: try another model"):
        judge_at(endpoint).judge([picture(i) for i in range(PATIENCE + 9)])
    assert len(endpoint.requests) == PATIENCE


SECRETS = [
    "http://me:secret@host/v1",
    "https://secret@host/v1",
    "https://host/v1?api-key=secret",
    "https://host/v1#secret",
    "http://me:secret%40host/v1",
    "http://me:secret/v1",
    "me:secret@host",
    "http://me:secret@[::1/v1",
    "http://ho st:secret/v1",
]


@pytest.mark.parametrize("url", SECRETS)
def test_an_address_with_a_secret_is_refused_and_not_repeated(url):
    with pytest.raises(JudgeSetupError) as caught:
        checked_address(url)
    assert "secret" not in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://h:1/v1", "http://h:1/v1/", "HTTP://h:1/v1/chat/completions"])
def test_an_address_may_name_the_whole_path(url):
    assert checked_address(url).lower() == "http://h:1/v1"


def test_a_password_that_an_endpoint_repeats_is_not_shown(endpoint, picture):
    endpoint.answers = [(404, {"error": {"message": "no route to http://me:secret@inner/v1"}})]
    with pytest.raises(JudgeSetupError, match=r"http://\*\*\*@inner") as caught:
        judge_at(endpoint).judge([picture()])
    assert "secret" not in str(caught.value)


def test_the_key_is_checked_before_anything_is_edited(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(JudgeSetupError, match="set the environment variable OPENAI_API_KEY"):
        expression_judge("endpoint", url="http://127.0.0.1:9/v1", model="seer")
    monkeypatch.setenv("OPENAI_API_KEY", "clé\u2028")
    with pytest.raises(JudgeSetupError, match="signs that no key has") as caught:
        expression_judge("endpoint", url="http://127.0.0.1:9/v1", model="seer")
    assert "clé" not in str(caught.value)
