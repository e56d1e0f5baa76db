"""The recipe is that which is asked for, else that of the model; the published settings depend on the domain."""

from dataclasses import asdict, replace

import pytest
import torch
from diffusers import QwenImageTransformer2DModel
from diffusers.optimization import get_cosine_schedule_with_warmup

from pxs.editing.recipes import find_recipe
from pxs.errors import ModelError, TrainingError
from pxs.training.adapter import adapter_bytes, add_adapter
from pxs.training.objective import draws
from pxs.training.order import data_hash
from pxs.training.recipes import EPOCHS, choose_settings, summary
from pxs.training.settings import Settings


@pytest.fixture
def human(rows):
    return [row for row in rows if row.domain == "human"]


@pytest.fixture
def anime(rows):
    return [row for row in rows if row.domain == "anime"]


def test_a_model_of_drawn_faces_keeps_its_settings(rows):
    assert choose_settings({}, rows) == Settings()
    assert choose_settings({"rank": 3}, rows) == Settings(rank=3)


def test_another_model_gets_the_published_settings(human, photo_model):
    s = choose_settings({"model": str(photo_model), "lr": 1e-3}, human)
    assert (s.recipe, s.rank, s.alpha, s.warmup, s.batch, s.checkpointing) == ("pixelsmile", 64, 128, 500, 4, True)
    assert (s.contrast_weight, s.identity_weight, s.lr, s.beta2, s.weight_decay) == (1.0, 0.1, 1e-3, 0.999, 0.001)
    assert (s.contrast, s.form, s.conditioning, s.shift, s.gate, s.clip) == (
        *("symmetric", "infonce", "category", 1.0, 600, 1.0),
    )
    assert choose_settings({"model": str(photo_model)}, human, recipe="mini").rank == 16


def test_the_published_settings_are_those_of_the_full_model_and_of_the_domain(human, anime):
    photographs, drawings = (choose_settings({}, data, "pixelsmile") for data in (human, anime))
    assert photographs.model == "Qwen/Qwen-Image-Edit-2511" and photographs.lr == 1e-4
    changed = {name for name, v in asdict(photographs).items() if asdict(drawings)[name] != v}
    assert changed - {"steps"} == {"contrast_weight", "identity_weight"}
    assert (drawings.contrast_weight, drawings.identity_weight) == (0.05, 0.0)


def test_the_batch_is_of_each_gpu_and_the_steps_are_100_epochs(human):
    many = human * 20
    one, four = (choose_settings({}, many, "pixelsmile", processes) for processes in (1, 4))
    assert (one.batch, four.batch) == (4, 16) and EPOCHS == 100
    assert (one.steps, four.steps) == (100 * -(-len(many) // 4), 100 * -(-len(many) // 16))
    assert choose_settings({"steps": 7, "batch": 2}, many, "pixelsmile", 4).batch == 2


@pytest.mark.parametrize(
    ("changes", "recipe", "expected"),
    [
        ({"recipe": "mini"}, "pixelsmile", "both asked for"),
        ({"recipe": "own"}, None, "choose from mini, pixelsmile"),
        ({"rang": 3}, None, "unknown settings"),
        ({"recipe": "pixelsmile"}, None, "domains anime and human"),
    ],
)
def test_a_wrong_choice_is_one_line(rows, changes, recipe, expected):
    with pytest.raises(TrainingError, match=expected) as caught:
        choose_settings(changes, rows, recipe)
    assert "\n" not in str(caught.value)


def test_a_model_that_is_missing_is_one_line(human):
    with pytest.raises(ModelError) as caught:
        choose_settings({"model": "nowhere/nothing"}, human)
    assert "\n" not in str(caught.value)


def test_the_choice_is_told_with_its_settings(human):
    line = summary(choose_settings({"steps": 9}, human, "pixelsmile"))
    assert line.startswith("recipe pixelsmile for Qwen/Qwen-Image-Edit-2511: 9 steps of 4 rows, rank 64, alpha 128")
    assert "contrast 1, identity 0.1" in line and "\n" not in line


@pytest.mark.parametrize("off", [{"contrast": "none"}, {"contrast_weight": 0.0}])
def test_a_loss_that_is_off_is_told_as_none(human, off):
    line = summary(choose_settings({"steps": 9, **off}, human, "pixelsmile"))
    assert line.endswith("contrast none, identity 0.1")
    assert summary(Settings(identity_weight=0.0)).endswith("contrast 0.05, identity none")


def test_the_rate_is_that_of_diffusers():
    s = Settings(recipe="pixelsmile", steps=40, warmup=8, lr=0.5)
    optimiser = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=s.lr)
    schedule, expected = get_cosine_schedule_with_warmup(optimiser, s.warmup, s.steps), []
    for _ in range(s.steps):
        expected.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    assert [s.rate(i) for i in range(s.steps)] == pytest.approx(expected)


def test_noise_levels_are_entries_of_the_stock_schedule():
    from diffusers import FlowMatchEulerDiscreteScheduler

    stock = FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, use_dynamic_shifting=True)
    noise, levels = draws(Settings(recipe="pixelsmile"), 0, range(60), (1,))
    same, uniform = draws(Settings(), 0, range(60), (1,))
    assert torch.equal(noise, same)
    torch.testing.assert_close(levels, stock.sigmas[(uniform * 1000).long()])


def test_boxes_are_data_only_where_pictures_are_cut_around_them(rows):
    boxed = [replace(rows[0], boxes=((1.0, 2.0, 30.0, 40.0),)), *rows[1:]]
    assert data_hash(rows) == data_hash(boxed) and data_hash(rows, boxes=True) != data_hash(boxed, boxes=True)


@pytest.mark.parametrize(("noted", "found"), [("", "fitted"), ("published", "published")])
def test_an_adapter_of_the_public_recipe_is_edited_by_the_public_script(noted, found, tmp_path):
    shape = {"num_layers": 2, "attention_head_dim": 16, "num_attention_heads": 2, "joint_attention_dim": 24}
    transformer = QwenImageTransformer2DModel(in_channels=16, out_channels=4, axes_dims_rope=(4, 6, 6), **shape)
    add_adapter(transformer, Settings(rank=2, alpha=4.0))
    file = tmp_path / "adapter.safetensors"
    file.write_bytes(adapter_bytes(transformer, "base", noted))
    assert find_recipe("auto", "own", tmp_path, {file: 1.0}).name == found
