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


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """The package's cache lies in a folder of this run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PXS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def editor():
    """The embedded model without an adapter, loaded once."""
    import pxs

    return pxs.load("mini", adapter=None)


@pytest.fixture(scope="session")
def picture():
    """A function that creates a picture of independent random pixels."""
    import numpy as np
    from PIL import Image

    def make(seed=0, size=(40, 30)):
        values = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        return Image.fromarray(values)

    return make


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


@pytest.fixture(scope="session")
def recognition_file(tmp_path_factory):
    """A small random recognition network, faces (1, 3, 112, 112) -> (1, 16), as an ONNX file."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    shapes = {"kernel": (4, 3, 8, 8), "slope": (4, 1, 1), "matrix": (16, 4 * 14 * 14)}
    weights = [numpy_helper.from_array(random.normal(0, 0.2, s).astype(np.float32), n) for n, s in shapes.items()]
    nodes = [
        helper.make_node("Conv", ["data", "kernel"], ["a"], strides=[8, 8]),
        helper.make_node("PRelu", ["a", "slope"], ["b"]),
        helper.make_node("Flatten", ["b"], ["c"]),
        helper.make_node("Gemm", ["c", "matrix"], ["out"], transB=1),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("data", "out")]
    path = tmp_path_factory.mktemp("pack") / "recognition.onnx"
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:], weights)), path)
    return path


@pytest.fixture
def analysis(recognition_file):
    """Stands in for insightface's FaceAnalysis: it finds one face in any picture, which fills it."""
    from types import SimpleNamespace

    import numpy as np

    from pxs.encoders.alignment import SIDE, TEMPLATE

    def get(image):
        height, width, _ = image.shape
        return [SimpleNamespace(bbox=(0, 0, width, height), kps=np.float32(TEMPLATE) * width / SIDE)]

    return SimpleNamespace(get=get, models={"recognition": SimpleNamespace(model_file=str(recognition_file))})
