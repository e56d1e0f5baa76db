"""Settings that hold for every test: nothing is fetched, nothing is shown, and no example fails for being slow."""

import os

import pytest
from hypothesis import settings

# Set before any library reads them.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["MPLBACKEND"] = "agg"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

settings.register_profile("pxs", deadline=None, print_blob=True)
settings.load_profile("pxs")


@pytest.fixture(scope="session")
def editor():
    """The embedded model without an adapter, loaded once."""
    import pxs

    return pxs.load("mini", adapter=None)


@pytest.fixture(scope="session")
def adapter_file(tmp_path_factory):
    """A LoRA of rank 2 with random weights for the embedded model, as a safetensors file."""
    import torch
    from diffusers import QwenImageEditPlusPipeline
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    import pxs

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
