"""What the tests of the research questions share: cheap judges, and an adapter with random weights."""

import numpy as np
import pytest
import torch

import pxs


class PixelFeatures:
    """A feature judge that sees 8 x 8 grey pixels."""

    name, role = "pixels", "train"

    def embed(self, images):
        rows = np.stack([np.asarray(i.convert("L").resize((8, 8)), np.float32).ravel() + 1 for i in images])
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class EveryoneAlike:
    """An identity judge for which all faces are the same person."""

    name, role = "alike", "score"

    def embed(self, images):
        return np.ones((len(images), 2), np.float32)


class Brightness:
    """An expression judge that reads two intensities from the corner pixel's red and green."""

    name, role = "brightness", "score"

    def judge(self, images):
        corners = [i.convert("RGB").getpixel((0, 0)) for i in images]
        return [pxs.Mix(happy=red / 255, sad=green / 255) for red, green, _ in corners]


@pytest.fixture
def features():
    return PixelFeatures()


@pytest.fixture
def alike():
    return EveryoneAlike()


@pytest.fixture
def brightness():
    return Brightness()


@pytest.fixture(scope="session")
def adapter_file(tmp_path_factory):
    """A LoRA of rank 2 with random weights for the embedded model, as a safetensors file."""
    from diffusers import QwenImageEditPlusPipeline
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    transformer = pxs.load("mini", adapter=None).pipe.transformer
    transformer.add_adapter(LoraConfig(r=2, lora_alpha=2, target_modules=["to_q", "to_k", "to_v"]))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in transformer.named_parameters():
            if "lora_B" in name:
                weight.copy_(0.05 * torch.randn(weight.shape, generator=generator))
    folder = tmp_path_factory.mktemp("adapter")
    layers = get_peft_model_state_dict(transformer)
    QwenImageEditPlusPipeline.save_lora_weights(
        folder, transformer_lora_layers=layers, weight_name="random.safetensors"
    )
    return folder / "random.safetensors"
