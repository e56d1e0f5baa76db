"""The second filter of prompts: what a model says in words, what it refuses, and that it is asked once."""

import json

import pytest
from local_endpoint import Endpoint

from pxs.cli import main
from pxs.ffe.compose import compose
from pxs.ffe.contradictions import read_answer
from pxs.ffe.manifest import counted
from pxs.judging.answers import RefusedError, UnusableError
from pxs.judging.endpoint import EndpointJudge


def answer(possible, why="the jaw cannot do both"):
    return json.dumps({"possible": possible, "why": why})


def words_of(request):
    """The words of a request, which must hold no picture."""
    ((part,),) = [message["content"] for message in request["messages"]]
    assert part["type"] == "text"
    return part["text"]


def no_brows(request):
    """Finds everything impossible that names the brows, and refuses what names the head."""
    words = words_of(request)
    if "- head:" in words:
        return "I'm sorry, I cannot say."
    return answer("- brows:" not in words)


@pytest.fixture
def endpoint():
    with Endpoint() as server:
        yield server


def test_what_the_model_finds_impossible_is_left_out_and_nothing_is_asked_twice(tmp_path, endpoint):
    endpoint.answers = [no_brows]
    rules = compose(tmp_path / "rules")
    model = EndpointJudge(endpoint.url, "seer", key_variable=None, cache=tmp_path / "judged", retries=0)
    found = compose(tmp_path / "both", model=model)
    assert [one.name for one in found] == [one.name for one in rules]
    for before, after in zip(rules, found, strict=True):
        against = not before.dropped and "brows" in after.parts and "head" not in after.parts
        assert after.dropped == ("contradictory, says the model: the jaw cannot do both" if against else before.dropped)
    assert any(not one.dropped and "head" in one.parts for one in found)
    asked, kept = len(endpoint.requests), {tuple(one.parts) + tuple(one.units) for one in rules if not one.dropped}
    refused = sum("- head:" in words_of(request) for request in endpoint.requests)
    assert asked >= len(kept)
    compose(tmp_path / "both", model=model.asked(model.rubric))
    assert len(endpoint.requests) - asked <= refused  # only refusals have no answer to keep


def test_the_command_asks_and_tells(tmp_path, endpoint, monkeypatch, capsys):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    endpoint.answers = [no_brows]
    asked = ["--judge", "endpoint", "--judge-url", endpoint.url, "--judge-model", "seer"]
    assert main(["ffe", "compose", str(tmp_path), "--most", "2", *asked]) == 0
    assert "contradictory, says the model" in capsys.readouterr().out
    found = compose(tmp_path, 2)
    assert not any("the model" in why for why in counted(one.dropped for one in found))


def test_a_judge_of_pictures_alone_is_refused(tmp_path, capsys):
    assert main(["ffe", "compose", str(tmp_path), "--judge", "mini"]) == 2
    assert "'mini' cannot be asked in words" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("said", [{"possible": "yes", "why": ""}, {"possible": True}, {"possible": True, "why": 3}])
def test_other_answers_are_unusable(said):
    with pytest.raises(UnusableError):
        read_answer(json.dumps(said))
    with pytest.raises(RefusedError):
        read_answer("I'm sorry, I can't.")
