"""The collector: features as the model computes them, hooks that are always removed, and errors."""

import numpy as np
import pytest
import torch

import pxs
from analysis.faces import drawn_faces, load_editors, own_face
from analysis.features import CollectionPlan, Place, check_blocks, collect, explained, recording, take
from pxs.editing.exact import Savings
from pxs.errors import AdapterError, DataError, ExpressionError, ModelError, ScaleError
from pxs.expressions import Mix

PLAN = CollectionPlan(("fear", "sad"), (0.5, 1.0), (42,), steps=2, blocks=(0, 5), at=(1,))


@pytest.fixture(scope="module")
def faces():
    return drawn_faces([400000, 400001])


@pytest.fixture
def hooked(editor):
    """How many hooks the transformer's modules have."""
    return lambda: sum(len(m._forward_hooks) for m in editor.pipe.transformer.modules())


@pytest.fixture(scope="module")
def collection(editor, faces, features):
    return collect(editor, faces, PLAN, features, progress=False)


def test_every_place_is_collected(collection):
    assert len(collection.rows) == len(collection.pictures) == 2 * (1 + 4)
    assert len(collection.table) == len(collection.thumbnails) == 8
    assert collection.table.columns.tolist() == ["face", "seed", "expression", "intensity"]
    assert collection.table.expression.tolist() == ["fear", "fear", "sad", "sad"] * 2
    assert collection.table.intensity.tolist() == [0.5, 1.0] * 4
    assert collection.sigmas[0] == pytest.approx(1)
    shapes = {place: collection.points(place).shape for place in collection.raw}
    assert shapes == {
        Place("prompt"): (8, 128),
        Place("image", 0, 1): (8, 192),
        Place("image", 5, 1): (8, 192),
        Place("text", 0, 1): (8, 192),
        Place("text", 5, 1): (8, 192),
        Place("clean", step=1): (8, 64 * 64),
        Place("picture"): (8, 64),
    }
    assert collection.places("image") == [Place("image", 0, 1), Place("image", 5, 1)]
    assert str(Place("image", 5, 1)) == "image, block 5, step 1"


def test_features_are_relative_to_the_neutral_edit(collection):
    raw = collection.raw[Place("picture")].astype(float)
    expected = np.concatenate([raw[1:5] - raw[0], raw[6:10] - raw[5]])
    np.testing.assert_array_equal(collection.points(Place("picture")), expected)
    np.testing.assert_array_equal(collection.points(Place("picture"), relative=False), raw[[1, 2, 3, 4, 6, 7, 8, 9]])


def test_prompts_grow_with_the_intensity(collection):
    points = collection.points(Place("prompt"))
    np.testing.assert_allclose(points[1], 2 * points[0], rtol=1e-4, atol=1e-4)


def test_hidden_states_are_those_of_the_blocks(editor, faces, collection):
    """The last block's image stream, pooled here from a separate hook, at the second of two steps."""
    portrait = editor.open(faces[0].picture)
    kept = []
    handle = editor.pipe.transformer.transformer_blocks[5].register_forward_hook(lambda m, i, o: kept.append(o))
    try:
        *_, last = portrait.steps([Mix(), Mix(fear=0.5)], 42, 2)
    finally:
        handle.remove()
    text, image = kept[1]
    np.testing.assert_allclose(collection.raw[Place("image", 5, 1)][:2], image[:, :64].mean(dim=1), atol=1e-4)
    np.testing.assert_allclose(collection.raw[Place("text", 5, 1)][:2], text[:, -7], atol=1e-4)
    np.testing.assert_allclose(collection.raw[Place("clean", step=1)][:2], last.clean.flatten(1), atol=1e-4)


def test_hooks_are_removed_after_a_collection(collection, hooked):
    assert hooked() == 0


def test_hooks_are_removed_after_an_exception(editor, hooked):
    before = hooked()
    with pytest.raises(RuntimeError, match="mid-way"), recording(editor.pipe.transformer, [0, 3], 64):
        assert hooked() == before + 2
        raise RuntimeError("mid-way")
    assert hooked() == before


def test_hooks_are_removed_when_a_hook_itself_fails(editor, faces, hooked, monkeypatch):
    monkeypatch.setattr("analysis.features.EXPRESSION_TOKEN", -1000)
    with pytest.raises(IndexError):
        collect(editor, faces[:1], PLAN, progress=False)
    assert hooked() == 0


def test_a_block_out_of_range_hooks_nothing(editor, faces, hooked):
    for block in (6, -1):
        with pytest.raises(ModelError, match=f"block {block} is out of range: the transformer has 6, give 0 to 5"):
            collect(editor, faces, CollectionPlan(steps=1, blocks=(0, block)), progress=False)
    assert hooked() == 0
    check_blocks([0, 5], 6)


def test_nothing_recorded_is_an_error():
    with pytest.raises(ModelError, match="no hook of the transformer was called"):
        take([], 3)


def test_two_faces_of_one_name_are_refused(editor, faces):
    with pytest.raises(DataError, match="have one name"):
        collect(editor, [faces[0], faces[0]], PLAN, progress=False)


def test_a_place_not_collected_is_named(collection):
    with pytest.raises(DataError, match="nothing was collected at text, block 3, step 1: choose from prompt"):
        collection.points(Place("text", 3, 1))


def test_recording_changes_no_edit(editor, faces):
    portrait = editor.open(faces[0].picture)
    *_, alone = portrait.steps([Mix(fear=1)], 1, 2)
    with recording(editor.pipe.transformer, [0], 64):
        *_, recorded = portrait.steps([Mix(fear=1)], 1, 2)
    torch.testing.assert_close(alone.latents, recorded.latents, atol=1e-4, rtol=0)


def test_a_batch_in_several_passes_is_put_together(editor, faces, collection):
    split = pxs.Editor(editor.checkpoint, Savings(fixed_batch=3))
    again = collect(split, faces, PLAN, progress=False)
    for place in again.raw:
        np.testing.assert_allclose(again.raw[place], collection.raw[place], atol=1e-3)


MISTAKES = {
    "expression": ({"expressions": ("feer",)}, ExpressionError, "did you mean 'fear'"),
    "twice": ({"expressions": ("fear", "fear")}, ScaleError, "each once"),
    "none": ({"intensities": ()}, ScaleError, "at least one"),
    "neutral": ({"intensities": (0, 1)}, ScaleError, "not above 0"),
    "not finite": ({"intensities": (float("nan"),)}, ScaleError, "is not a number"),
    "step": ({"at": (12,)}, ScaleError, "step 12 is out of range: give 0 to 11"),
    "no seeds": ({"seeds": ()}, ScaleError, "seeds"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_plan_is_refused(mistake):
    wrong, error, message = MISTAKES[mistake]
    with pytest.raises(error, match=message):
        CollectionPlan(**wrong)


def test_explained_variance_in_closed_form():
    points = np.array([[0.0, 0], [0, 2], [4, 0], [4, 2]])
    assert explained(points, ["a", "a", "b", "b"]) == pytest.approx(16 / 20)
    assert explained(points, ["u", "v", "u", "v"]) == pytest.approx(4 / 20)
    assert explained(np.ones((3, 2)), ["a", "b", "c"]) == 0


def test_faces_are_checked(tmp_path):
    with pytest.raises(ScaleError, match="each once"):
        drawn_faces([1, 1])
    with pytest.raises(ScaleError, match="at least one"):
        drawn_faces([])
    drawn_faces([7])[0].picture.save(tmp_path / "me.png")
    face = own_face(tmp_path / "me.png", "anime")
    assert (face.name, face.style, face.identity) == ("me", "anime", None)


def test_base_and_adapter_are_two_editors(adapter_file, faces):
    editors = load_editors("mini", str(adapter_file))
    assert [*editors] == ["base", "adapter"]
    base, adapted = (
        editor.open(faces[0].picture).edit(Mix(fear=1), steps=1, progress=False) for editor in editors.values()
    )
    assert base[0].tobytes() != adapted[0].tobytes()
    assert editors["adapter"].provenance["adapter"] == "random.safetensors"


def test_an_adapter_that_is_missing_is_named():
    with pytest.raises(AdapterError, match=r"no\.safetensors"):
        load_editors("mini", "no.safetensors")
