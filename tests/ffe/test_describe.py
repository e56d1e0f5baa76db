"""Descriptions by a second question, and the statistics of a data set."""

import json
from collections import Counter

import numpy as np
import pytest
from local_endpoint import Endpoint

from pxs.cli import main
from pxs.errors import DataError
from pxs.expressions import EXPRESSIONS
from pxs.ffe.annotate import Label
from pxs.ffe.describe import CHOICES, describe, read_answer
from pxs.ffe.manifest import read
from pxs.ffe.statistics import statistics
from pxs.judging.answers import RefusedError, UnusableError
from pxs.judging.endpoint import EndpointJudge

GOOD = {
    "looks": "woman",
    "age": "old",
    "skin": "dark",
    "style": "drawing",
    "sentences": ["A face.", "Grey hair.", "Flat."],
}


def without(name):
    return {key: value for key, value in GOOD.items() if key != name}


@pytest.mark.parametrize(
    "text", [json.dumps(GOOD), f"```json\n{json.dumps(GOOD)}\n```", f"Here it is: {json.dumps(GOOD)}"]
)
def test_a_description_is_found_in_an_answer(text):
    assert read_answer(text) == GOOD


@pytest.mark.parametrize(
    "said",
    [
        without("age"),
        GOOD | {"age": "42"},
        GOOD | {"sentences": ["one"]},
        GOOD | {"more": 1},
        GOOD | {"looks": ["woman"]},
        [],
    ],
)
def test_what_is_no_description_is_refused(said):
    with pytest.raises(UnusableError):
        read_answer(json.dumps(said))


def test_an_apology_is_a_refusal():
    with pytest.raises(RefusedError):
        read_answer("I'm sorry, I can't describe people.")


def test_each_source_is_described_once_and_refusals_are_asked_again(data_set):
    said = [json.dumps(GOOD), "I'm sorry, no.", json.dumps(GOOD | {"looks": "man"})]
    with Endpoint() as endpoint:
        endpoint.answers = [*said, json.dumps(GOOD)]
        judge = EndpointJudge(endpoint.url, "seer", None, retries=0)
        first = describe(data_set, judge)
        again = describe(data_set, judge)
        schema = endpoint.requests[0]["response_format"]["json_schema"]["schema"]
        assert len(endpoint.requests) == 4 and set(schema["required"]) == {*CHOICES, "sentences"}
    assert [bool(one.error) for one in first] == [False, True, False] and not any(one.error for one in again)
    found = statistics(data_set)
    assert found["described"]["looks"] == {"woman": 2, "man": 1} and found["described"]["age"] == {"old": 3}


def test_nobody_described_is_an_error(data_set):
    with Endpoint() as endpoint:
        endpoint.answers = ["I'm sorry, no."]
        with pytest.raises(DataError, match="none of 3 people could be described"):
            describe(data_set, EndpointJudge(endpoint.url, "seer", None, retries=0))
    assert not (data_set / "descriptions.jsonl").exists()


def test_statistics_count_what_is_there(data_set, capsys):
    assert main(["ffe", "statistics", str(data_set)]) == 0
    out = capsys.readouterr().out
    found = json.loads((data_set / "statistics.json").read_text())
    labels = read(data_set, "labels", Label)
    counts = Counter(label.expression for label in labels)
    assert {name: row["pictures"] for name, row in found["expressions"].items()} == {e: counts[e] for e in EXPRESSIONS}
    fear = [label.asked for label in labels if label.expression == "fear"]
    assert found["expressions"]["fear"]["histogram"] == np.histogram(fear, 10, (0, 1))[0].tolist()
    assert "3 people, 36 pictures, 0 labels in doubt" in out
    assert (data_set / "statistics.png").stat().st_size > 10_000
