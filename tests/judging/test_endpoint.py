"""The judge behind an endpoint, tested against a local HTTP server."""

import base64
import contextlib
import io
import json
import sys
import threading

import numpy as np
import pytest
from local_endpoint import Endpoint, body
from local_server import KEY
from PIL import Image

from pxs.errors import JudgeError, JudgeSetupError, OutputError, UnjudgedError
from pxs.expressions import EXPRESSIONS, Mix
from pxs.judging import endpoint as judging
from pxs.judging.endpoint import EndpointJudge, Usage
from pxs.judging.rubric import PROMPT, PROMPT_VERSION

VARIABLE = "PXS_TEST_KEY"

GOOD = dict.fromkeys(EXPRESSIONS, 0.0) | {"happy": 0.85, "confident": 0.55, "sleepy": 1}

MIX = Mix(happy=0.85, confident=0.55, sleepy=1)


@pytest.fixture
def endpoint(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv(VARIABLE, KEY)
    with Endpoint() as server:
        yield server


def judge_at(endpoint, **settings):
    return EndpointJudge(endpoint.url, "seer", VARIABLE, **{"retries": 1, **settings})


def test_a_good_answer_becomes_a_mix(endpoint, picture):
    endpoint.answers = [json.dumps(GOOD)]
    judge = judge_at(endpoint)
    assert judge.role == "score"
    assert judge.judge([picture(), picture(1)]) == [MIX, MIX]
    assert judge.usage == Usage(calls=2, input_tokens=2000, output_tokens=400)


def test_the_request_has_the_lossless_picture_the_prompt_and_the_schema(endpoint, picture):
    endpoint.answers = [json.dumps(GOOD)]
    judge_at(endpoint).judge([picture()])
    (request,) = endpoint.requests
    assert endpoint.keys == [f"Bearer {KEY}"]
    assert (request["model"], request["temperature"]) == ("seer", 0)
    shown, text = request["messages"][0]["content"]
    assert text == {"type": "text", "text": PROMPT}
    head, _, png = shown["image_url"]["url"].partition(",")
    assert head == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(png))) as sent:
        assert np.array_equal(np.asarray(sent), np.asarray(picture()))
    form = request["response_format"]["json_schema"]
    assert form["strict"]
    assert form["schema"]["required"] == list(EXPRESSIONS)
    assert set(form["schema"]["properties"]) == set(EXPRESSIONS)


def test_nothing_is_sent_before_a_picture_is_judged(endpoint):
    judge = judge_at(endpoint)
    assert judge.judge([]) == []
    assert (endpoint.requests, judge.usage) == ([], Usage())


UNUSABLE = {
    "not JSON": "Very happy!",
    "cut short": json.dumps(GOOD)[:-9],
    "a list": "[1, 2]",
    "a key too few": json.dumps({k: v for k, v in GOOD.items() if k != "shy"}),
    "a key too many": json.dumps(GOOD | {"bored": 0}),
    "above 1": json.dumps(GOOD | {"happy": 85}),
    "below 0": json.dumps(GOOD | {"sad": -0.1}),
    "not a number": json.dumps(GOOD | {"sad": float("nan")}),
    "a word": json.dumps(GOOD | {"sad": "0.5"}),
    "a truth value": json.dumps(GOOD | {"sad": True}),
    "too deep": "[" * 100_000,
    "empty": "",
    "nothing": None,
    "no choices": json.dumps(body("") | {"choices": []}).encode(),
    "choices missing": b"{}",
    "a broken response": b"{",
}


@pytest.mark.parametrize("answer", UNUSABLE.values(), ids=UNUSABLE)
def test_an_unusable_answer_is_requested_again(endpoint, picture, answer):
    endpoint.answers = [answer, json.dumps(GOOD)]
    assert judge_at(endpoint).judge([picture()]) == [MIX]
    assert len(endpoint.requests) == 2


@pytest.mark.parametrize("answer", UNUSABLE.values(), ids=UNUSABLE)
def test_only_unusable_answers_raise_one_line(endpoint, picture, answer, tmp_path):
    endpoint.answers = [answer]
    judge = judge_at(endpoint, cache=tmp_path)
    with pytest.raises(JudgeError, match="^picture 0: no usable answer from 'seer' in 2 tries") as caught:
        judge.judge([picture()])
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    assert len(endpoint.requests) == 2
    assert not list(tmp_path.iterdir())


def test_a_temporary_server_error_is_retried(endpoint, picture):
    endpoint.answers = [500, json.dumps(GOOD)]
    judge = judge_at(endpoint)
    assert judge.judge([picture()]) == [MIX]
    assert (len(endpoint.requests), judge.usage.calls) == (2, 1)


def test_a_server_that_always_fails_is_one_line(endpoint, picture):
    endpoint.answers = [500]
    with pytest.raises(JudgeError, match=r"^picture 0: the endpoint http.* failed .*500") as caught:
        judge_at(endpoint).judge([picture()])
    assert "\n" not in str(caught.value)
    assert len(endpoint.requests) == 2


def test_a_refused_key_is_neither_retried_nor_shown(endpoint, picture):
    endpoint.answers = [401]
    with pytest.raises(JudgeError, match=r"401.*\*\*\*") as caught:
        judge_at(endpoint).judge([picture()])
    assert KEY not in str(caught.value)
    assert len(endpoint.requests) == 1


def test_a_missing_server_is_one_line(monkeypatch, picture):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Endpoint() as stopped:
        pass
    with pytest.raises(JudgeError, match="^picture 0: the endpoint .* failed"):
        EndpointJudge(stopped.url, "seer", None, retries=0).judge([picture()])


def test_an_answer_in_the_cache_costs_no_request(endpoint, tmp_path, monkeypatch, picture):
    endpoint.answers = [json.dumps(GOOD)]
    cache = tmp_path / "new" / "cache"
    assert judge_at(endpoint, cache=cache).judge([picture()]) == [MIX]
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setitem(sys.modules, "openai", None)
    judge = judge_at(endpoint, cache=cache, prices=(2, 10))
    assert judge.judge([picture(), picture().convert("RGBA")]) == [MIX, MIX]
    assert len(endpoint.requests) == 1
    assert judge.usage == Usage(cached=2, cost=0)


def test_an_answer_is_cached_for_its_picture_model_and_prompt_alone(endpoint, tmp_path, picture):
    endpoint.answers = [json.dumps(GOOD)]
    pictures = [picture(), picture(1), Image.new("RGB", (4, 9)), Image.new("RGB", (9, 4))]
    judge_at(endpoint, cache=tmp_path).judge(pictures)
    assert len(list(tmp_path.iterdir())) == len(endpoint.requests) == 4
    EndpointJudge(endpoint.url, "other", VARIABLE, cache=tmp_path).judge([picture()])
    assert len(endpoint.requests) == 5
    judge_at(endpoint, cache=tmp_path).in_order(EXPRESSIONS[::-1]).judge([picture()])
    assert len(endpoint.requests) == 6


BROKEN = {
    "empty": b"",
    "cut short": b'{"model": "seer", "intensi',
    "no text": b"\xff\xfe\x00",
    "another form": b"[]",
    "no intensities": b"{}",
    "out of range": json.dumps({"intensities": GOOD | {"happy": 7}}).encode(),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_cache_file_is_replaced(endpoint, tmp_path, picture, content):
    endpoint.answers = [json.dumps(GOOD)]
    judge_at(endpoint, cache=tmp_path).judge([picture()])
    (file,) = tmp_path.iterdir()
    complete = file.read_bytes()
    file.write_bytes(content)
    assert judge_at(endpoint, cache=tmp_path).judge([picture()]) == [MIX]
    assert [f.read_bytes() for f in tmp_path.iterdir()] == [complete]


def test_answers_before_an_error_stay_in_the_cache(endpoint, tmp_path, picture):
    endpoint.answers = [json.dumps(GOOD), 401]
    with pytest.raises(JudgeError, match="^picture 1: "):
        judge_at(endpoint, cache=tmp_path).judge([picture(), picture(1)])
    assert len(list(tmp_path.iterdir())) == 1


def test_a_cache_that_cannot_be_written_is_found_before_anything_is_sent(endpoint, tmp_path, picture):
    (tmp_path / "file").touch()
    for place in ("file", "file/judged"):
        with pytest.raises(OutputError, match="is a file, not a folder"):
            judge_at(endpoint, cache=tmp_path / place).judge([picture()])
    assert not endpoint.requests


def test_a_key_that_is_refused_leaves_no_folder(endpoint, tmp_path, picture):
    endpoint.answers = [401]
    with pytest.raises(JudgeSetupError):
        judge_at(endpoint, cache=tmp_path / "out" / "judged").judge([picture()])
    assert len(endpoint.requests) == 1 and not list(tmp_path.iterdir())


def test_tokens_and_cost_are_counted_for_unusable_answers_too(endpoint, picture):
    endpoint.answers = ["nonsense", json.dumps(GOOD)]
    judge = judge_at(endpoint, prices=(2.0, 10.0))
    assert judge.usage.cost == 0
    judge.judge([picture()])
    assert judge.usage == Usage(calls=2, input_tokens=2000, output_tokens=400, cost=pytest.approx(0.008))


def test_an_answer_may_lack_its_token_counts(endpoint, picture):
    answer = {k: v for k, v in body(json.dumps(GOOD)).items() if k != "usage"}
    endpoint.answers = [json.dumps(answer).encode()]
    judge = judge_at(endpoint)
    assert judge.judge([picture()]) == [MIX]
    assert judge.usage == Usage(calls=1)


def test_the_key_is_not_stored(endpoint, tmp_path, caplog, picture):
    caplog.set_level("DEBUG")
    endpoint.answers = ["nonsense", json.dumps(GOOD)]
    judge = judge_at(endpoint, cache=tmp_path)
    judge.judge([picture()])
    assert endpoint.keys == [f"Bearer {KEY}"] * 2
    assert not [f for f in tmp_path.iterdir() if KEY in f.read_text() or KEY in f.name]
    assert KEY not in repr(vars(judge)) + caplog.text


@pytest.mark.parametrize("value", [None, "", " \n"])
def test_a_missing_key_names_its_variable(endpoint, monkeypatch, picture, value):
    monkeypatch.setenv(VARIABLE, value) if value is not None else monkeypatch.delenv(VARIABLE)
    with pytest.raises(JudgeError, match=f"set the environment variable {VARIABLE}"):
        judge_at(endpoint).judge([picture()])
    assert not endpoint.requests


def test_a_missing_package_says_how_to_install_it(endpoint, monkeypatch, picture):
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(JudgeError, match=r'pip install "pxs\[judges\]"'):
        judge_at(endpoint).judge([picture()])


@pytest.mark.parametrize("settings", [{"base_url": "localhost:8000/v1"}, {"base_url": ""}, {"retries": -1}])
def test_invalid_settings_are_rejected(settings):
    with pytest.raises(JudgeError):
        EndpointJudge(**{"base_url": "http://127.0.0.1/v1", "model": "seer", **settings})


def test_an_invalid_address_is_one_line(monkeypatch, picture):
    monkeypatch.setenv(VARIABLE, KEY)
    with pytest.raises(JudgeError):
        EndpointJudge("http://[/v1", "seer", VARIABLE, retries=0).judge([picture()])


def test_the_name_contains_model_and_prompt_version(endpoint):
    assert judge_at(endpoint).name == f"seer {PROMPT_VERSION}"


class Slow:
    """Answers by the picture's first pixel; counts how many requests are under way at once."""

    def __init__(self, wait):
        self.now = self.most = self.asked = 0
        self.lock, self.wait = threading.Lock(), threading.Barrier(wait)

    def __call__(self, request):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
            self.asked += 1
            first = self.asked == 1
        if not first:
            with contextlib.suppress(threading.BrokenBarrierError):
                self.wait.wait(20)
        png = base64.b64decode(request["messages"][0]["content"][0]["image_url"]["url"].partition(",")[2])
        with Image.open(io.BytesIO(png)) as shown:
            red = shown.getpixel((0, 0))[0]
        with self.lock:
            self.now -= 1
        return "I'm sorry, I can't." if red == 99 else json.dumps(GOOD | {"happy": red / 100})


def reds(*values):
    return [Image.new("RGB", (4, 4), (value, 0, 0)) for value in values]


def test_parallel_requests_give_the_answers_in_order_and_ask_for_each_picture_once(endpoint, tmp_path):
    slow = Slow(3)
    endpoint.answers = [slow]
    judge = judge_at(endpoint, parallel=3, cache=tmp_path)
    found = judge.judge(reds(1, 2, 3, 2, 4, 1))
    assert [mix["happy"] for mix in found] == pytest.approx([0.01, 0.02, 0.03, 0.02, 0.04, 0.01])
    assert len(endpoint.requests) == judge.usage.calls == 4 and slow.most == 3
    assert judge_at(endpoint, parallel=3, cache=tmp_path).lacking(reds(1, 4, 5, 5)) == 1


def test_in_parallel_a_refusal_is_paid_once_and_costs_no_other_picture_its_answer(endpoint):
    endpoint.answers = [Slow(2)]
    with pytest.raises(UnjudgedError, match="the model refused") as caught:
        judge_at(endpoint, parallel=2).judge(reds(1, 99, 3, 99))
    assert [mix and mix["happy"] for mix in caught.value.found] == [0.01, None, 0.03, None]
    assert len(endpoint.requests) == 3


def test_in_parallel_a_failing_endpoint_is_asked_once(endpoint):
    endpoint.answers = [401]
    with pytest.raises(JudgeSetupError, match="401"):
        judge_at(endpoint, parallel=8).judge(reds(*range(9)))
    assert len(endpoint.requests) == 1


def test_in_parallel_a_model_that_refuses_everything_is_given_up(endpoint):
    endpoint.answers = ["I'm sorry, I can't."]
    with pytest.raises(JudgeSetupError, match="pictures before it: try another model"):
        judge_at(endpoint, parallel=8).judge(reds(*range(60)))
    assert len(endpoint.requests) == judging.PATIENCE


def test_in_parallel_a_rejected_option_is_left_out_for_all(endpoint):
    def picky(request):
        return (400, {"error": {"message": "temperature"}}) if "temperature" in request else json.dumps(GOOD)

    endpoint.answers = [picky]
    assert judge_at(endpoint, parallel=4).judge(reds(*range(9))) == [MIX] * 9
    assert len(endpoint.requests) == 10
