"""Generating and annotating: bounded retries, going on after a kill, judges that refuse, and what is in doubt."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ffe_sets import finder_of, truth_generator
from local_endpoint import Endpoint
from PIL import Image

from pxs.benchmark.methods.context import Context
from pxs.data.people import number_of
from pxs.errors import DataError, JudgeSetupError
from pxs.expressions import EXPRESSIONS, Mix
from pxs.faces.draw import draw
from pxs.faces.identity import Identity
from pxs.ffe import annotate as annotating
from pxs.ffe import manifest
from pxs.ffe.annotate import Label, annotate
from pxs.ffe.doubts import ABSENT, ORDER, OTHER, PASSES, PERSON, Rules, Scored, doubts
from pxs.ffe.generate import Generator, Made, generate, made_pictures
from pxs.ffe.judges import ByJudge, ByTruth, passes_of
from pxs.ffe.planning import Amount
from pxs.images import open_image, read_text, to_array
from pxs.judging.endpoint import EndpointJudge
from pxs.judging.rubric import PROMPT
from pxs.storage.hashes import file_hash


class Moody:
    """Draws the truth, but fails for fear with the seeds that it dislikes; counts what it is asked."""

    def __init__(self, context, dislikes):
        self.context, self.dislikes, self.asked = context, dislikes, []

    @property
    def provenance(self):
        return {"method": "moody", "model": "m", "model_hash": "abc"}

    def edit(self, task, mixes):
        self.asked.append((task.expression, self.context.seed, len(mixes), task.prompt))
        if task.expression == "fear" and self.context.seed in self.dislikes:
            raise RuntimeError("a mood")
        return [task.truth(mix, 32) for mix in mixes]


def moody(*dislikes, seed=5):
    context = Context(seed=seed)
    method = Moody(context, dislikes)
    return method, Generator("moody", method, context)


def test_pictures_are_the_truth_and_say_where_they_come_from(data_set):
    made = made_pictures(data_set)
    assert len(made) == 3 * 4 * 3
    for one in made[::7]:
        file = data_set / one.picture
        expected = draw(Identity.sample(number_of(file)), Mix({one.expression: one.asked}), "human", 64)
        assert np.array_equal(to_array(open_image(file)), to_array(expected))
        said = read_text(file)
        assert (said["generator"], said["seed"], said["prompt"]) == ("truth", str(one.seed), one.text)
        assert one.prompt.startswith(f"{one.expression}_{one.strength}") and one.expression in one.text


def test_what_fails_is_tried_with_the_next_seeds_and_no_more_often_than_allowed(prompts_set):
    method, generator = moody(5, 6, 7)
    failed = [one for one in generate(prompts_set, generator) if one.error]
    assert {(one.expression, one.error, one.attempts) for one in failed} == {("fear", "RuntimeError: a mood", 3)}
    assert [seed for word, seed, *_ in method.asked if word == "fear"] == [5, 6, 7] * (len(failed) // 3)
    assert all(text.count(". ") == 1 for *_, text in method.asked)
    method, generator = moody(5, 6)
    made = generate(prompts_set, generator, finder=finder_of())
    assert {word for word, *_ in method.asked} == {"fear"}  # what was made under these settings is there
    assert {(one.seed, one.attempts, one.error) for one in made if one.expression == "fear"} == {(7, 3, "")}
    assert {(one.seed, one.attempts) for one in made if one.expression != "fear"} == {(5, 1)}
    assert made[0].method == {"generator": "moody", "method": "moody", "model": "m", "model_hash": "abc"}
    method, generator = moody(seed=6)
    assert {one.seed for one in generate(prompts_set, generator)} == {6} and len(method.asked) == 12


def test_a_picture_without_a_face_does_not_count(prompts_set):
    class Blank:
        def edit(self, task, mixes):
            return [Image.new("RGB", (32, 32)) for _ in mixes]

    class Faceless:
        def find(self, picture):
            return []

    with pytest.raises(DataError, match="none of 36 pictures could be made, the first: no face in the picture"):
        generate(prompts_set, Generator("blank", Blank(), Context()), finder=Faceless())
    assert not (prompts_set / "pictures.jsonl").exists()


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, "tests/support")
from ffe_sets import truth_generator
from pxs.ffe import manifest
from pxs.ffe.annotate import annotate
from pxs.ffe.generate import generate
from pxs.ffe.judges import ByTruth
add, seen = manifest.add, []
def counted(folder, stage, record):
    seen.append(record)
    if len(seen) == 8:
        os.kill(os.getpid(), signal.SIGKILL)
    add(folder, stage, record)
manifest.add = counted
folder = Path(sys.argv[1])
generate(folder, truth_generator()) if sys.argv[2] == "pictures" else annotate(folder, [ByTruth()])
"""


def go_on(folder, stage):
    return generate(folder, truth_generator()) if stage == "pictures" else annotate(folder, [ByTruth()])


@pytest.mark.parametrize(("stage", "kind"), [("pictures", Made), ("labels", Label)])
def test_a_stage_that_is_killed_goes_on_with_the_rest(data_set, whole_set, stage, kind):
    manifest.file_of(data_set, stage).unlink()
    root = Path(__file__).parents[2]
    words = [sys.executable, "-c", KILLED, str(data_set), stage]
    done = subprocess.run(words, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    with pytest.raises(DataError, match="has 7 of 36 records: run 'pxs ffe (generate|annotate)' again"):
        manifest.read(data_set, stage, kind)
    with open(manifest.file_of(data_set, stage), "a") as file:
        file.write('{"name": "half a li')  # as a kill in the middle of a write leaves it
    with pytest.raises(DataError, match="line 9: not JSON"):
        manifest.read(data_set, stage, kind)
    before = {p: p.stat().st_mtime_ns for p in (data_set / "pictures").rglob("*.png")}
    go_on(data_set, stage)
    assert manifest.file_of(data_set, stage).read_bytes() == manifest.file_of(whole_set, stage).read_bytes()
    same = [p for p in before if p.stat().st_mtime_ns == before[p]]
    assert len(same) == (7 if stage == "pictures" else 36)


def test_a_picture_that_moved_or_was_changed_is_named_and_made_again(data_set):
    first, second, *_ = made_pictures(data_set)
    (data_set / first.picture).rename(data_set / "elsewhere.png")
    with pytest.raises(DataError, match=rf"{first.picture} is gone or was changed"):
        annotate(data_set, [ByTruth()])
    (data_set / second.picture).write_bytes((data_set / "elsewhere.png").read_bytes())
    generate(data_set, truth_generator())
    assert [one.sha256 for one in made_pictures(data_set)[:2]] == [first.sha256, second.sha256]


def scores(**more):
    return json.dumps({**dict.fromkeys(EXPRESSIONS, 0.0), **more})


@pytest.fixture
def endpoint():
    with Endpoint() as started:
        yield started


def two_passes(endpoint, folder):
    judge = EndpointJudge(endpoint.url, "seer", None, cache=folder / "judged", retries=0)
    return [ByJudge(one, one.name) for one in (judge, judge.in_order(EXPRESSIONS[::-1]))]


def text_of(request):
    return next(part["text"] for part in request["messages"][0]["content"] if part["type"] == "text")


def test_each_picture_is_asked_twice_with_the_labels_in_two_orders_and_the_mean_counts(endpoint, data_set):
    endpoint.answers = [lambda request: scores(fear=0.4 if text_of(request) == PROMPT else 0.6, sad=0.1)]
    labels = annotate(data_set, two_passes(endpoint, data_set))
    texts = {text_of(request) for request in endpoint.requests}
    places = [[text.index(f"- {name}:") for name in EXPRESSIONS] for text in texts]
    assert len(texts) == 2 and len(endpoint.requests) == 2 * len(labels)
    forward, reverse = sorted(places)
    assert forward == sorted(forward) and reverse == sorted(reverse, reverse=True)
    assert {tuple(label.scores.values()) for label in labels} == {tuple(Mix(sad=0.1, fear=0.5).vector())}
    assert [[row[4] for row in label.passes] for label in labels] == [[0.4, 0.6]] * len(labels)


def test_a_model_that_refuses_half_leaves_the_other_half_and_is_asked_again_for_the_rest(endpoint, pictures_set):
    asked, cured = [], []

    def half(request):
        picture = request["messages"][0]["content"][0]["image_url"]["url"]
        asked.append(picture)
        return scores(fear=0.5) if cured or sum(picture.encode()) % 2 else "I'm sorry, I cannot judge faces."

    endpoint.answers = [half]
    labels = annotate(pictures_set, two_passes(endpoint, pictures_set))
    refused = {label.name for label in labels if label.error}
    assert 5 < len(refused) < len(labels) - 5
    for label in labels:
        assert ("refused" in label.error and label.scores == {}) == (label.name in refused)
    cured.append(True)
    before = len(asked)
    again = annotate(pictures_set, two_passes(endpoint, pictures_set))
    assert not any(label.error for label in again) and len(asked) - before == 2 * len(refused)
    kept = {label.name: label.scores for label in labels if label.name not in refused}
    assert kept.items() <= {label.name: label.scores for label in again}.items()


def test_a_model_that_refuses_all_ends_the_stage_and_leaves_no_manifest(endpoint, pictures_set):
    endpoint.answers = ["I cannot help with that."]
    with pytest.raises((DataError, JudgeSetupError), match="refused"):
        annotate(pictures_set, two_passes(endpoint, pictures_set))
    assert not manifest.file_of(pictures_set, "labels").exists()


def test_truth_is_taken_of_rendered_pictures_alone(prompts_set):
    generate(prompts_set, moody()[1])
    with pytest.raises(DataError, match="by 'moody', so its truth is not known"):
        annotate(prompts_set, passes_of(["truth"]))


def test_labels_by_truth_are_exact_and_without_doubt(data_set):
    for label in manifest.read(data_set, "labels", Label):
        assert Mix(label.scores) == Mix({label.expression: label.asked})
        assert label.doubts == [] and label.judges == ["truth"] and label.similarity == annotating.NOBODY


def scored(asked, own, *, passes=(), similarity=None, sweep=("s", "happy"), **others):
    mean = Mix({sweep[1]: own, **others})
    return Scored(sweep, asked, [list(mean.vector()), *passes], mean, similarity)


def test_each_doubt_has_its_rule():
    sound = scored(0.5, 0.5)
    far = scored(0.5, 0.5, passes=[Mix(happy=0.5, sad=0.3).vector()])
    near = scored(0.5, 0.5, passes=[Mix(happy=0.3).vector()])
    given = {
        "sound": sound,
        "far": far,
        "near": near,
        "absent": scored(0.5, 0.04, sweep=("t", "happy")),
        "other": scored(0.5, 0.3, sweep=("t", "sad"), angry=0.41),
        "tied": scored(0.5, 0.3, sweep=("t", "fear"), surprised=0.39),
        "stranger": scored(0.5, 0.5, similarity=0.49, sweep=("u", "happy")),
        "friend": scored(0.5, 0.5, similarity=0.51, sweep=("v", "happy")),
    }
    expected = {"far": [PASSES], "absent": [ABSENT], "other": [OTHER], "stranger": [PERSON]}
    assert doubts(given, Rules()) == {name: expected.get(name, []) for name in given}


def test_a_sweep_that_falls_is_in_doubt_at_both_sides_of_the_fall_alone():
    own = {0.2: 0.2, 0.4: 0.6, 0.6: 0.44, 0.8: 0.43, 1.0: 0.9}
    given = {f"{asked}": scored(asked, value) for asked, value in reversed(own.items())}
    given["another"] = scored(0.7, 0.1, sweep=("other", "happy"))
    found = doubts(given, Rules(fall=0.15))
    assert {name for name, why in found.items() if why == [ORDER]} == {"0.4", "0.6"}
    assert doubts(given, Rules(fall=0.17)) == {name: [] for name in given}


def test_a_recogniser_sets_strangers_aside(data_set):
    class Sees:
        name, role = "sees", "score"

        def embed(self, images):
            return np.stack([np.eye(2, dtype=np.float32)[0 if image.size == (64, 64) else 1] for image in images])

    labels = annotate(data_set, [ByTruth()], Sees())
    assert {label.similarity for label in labels} == {1.0}
    for made in made_pictures(data_set)[:2]:
        file = data_set / made.picture
        Image.open(file).resize((60, 60)).save(file)
    lines = manifest.file_of(data_set, "pictures").read_text().splitlines()
    changed = [json.loads(line) for line in lines]
    for entry in changed[1:]:
        entry["sha256"] = file_hash(data_set / entry["picture"])
    manifest.file_of(data_set, "pictures").write_text("".join(json.dumps(entry) + "\n" for entry in changed))
    assert [PERSON in label.doubts for label in annotate(data_set, [ByTruth()], Sees())][:3] == [True, True, False]


def test_more_pictures_of_each_strength_are_others(prompts_set):
    made = generate(prompts_set, truth_generator(), Amount(pairs=1, each=3))
    assert len(made) == 3 * 2 * 9 == len({one.sha256 for one in made})
