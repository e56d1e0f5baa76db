"""Model folders, adapters, and pictures and boxes of benches."""

import io
import json
from functools import partial

import numpy as np
from bad_input import Case
from broken_weights import (
    BLOCK,
    MINI,
    RANK,
    adapter,
    bench,
    cell,
    content,
    encoded,
    entries,
    gone,
    header,
    lora,
    model,
    noted,
    parquet,
    png,
    raw,
    sharded,
    tensors,
    text,
    typed,
    without,
)
from PIL import Image

EDIT = ("edit", "--image-path", "face.png", "--mix", "happy=1", "--steps", "1", "--output-dir", "out")
MODEL = (*EDIT, "--lora-path", "none", "--model-path", "model")
ADAPTER = (*EDIT, "--lora-path", "a.safetensors")
BENCH = ("bench", "--methods", "source", "--bench", "bench", "--out", "out")


def bomb():
    return png(13_000, 13_000, "1")


def animated():
    stream = io.BytesIO()
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    return stream.getvalue()


def cut_table(folder):
    parquet(cell(png))(folder)
    file = folder / "bench" / "tasks.parquet"
    file.write_bytes(file.read_bytes()[:-40])


def no_table(folder):
    (folder / "bench").mkdir()
    (folder / "bench" / "t.parquet").write_bytes(b"PAR1hello")


def as_bin(folder):
    file = folder / V / "diffusion_pytorch_model.safetensors"
    file.rename(file.with_suffix(".bin"))


def whole(found):
    return {name: (tensor * 100).astype(np.int8) for name, tensor in found.items()}


def upper_case(folder):
    typed("I8", 1)(folder)
    (folder / "a.safetensors").rename(folder / "A.SAFETENSORS")


T, V, E = "transformer", "vae", "text_encoder"
CONFIG = {part: f"{part}/config.json" for part in (T, V, E)}
DEEP = "[" * 100_000
HUGE = 10**9
SCHEDULER, PICTURES = "scheduler/scheduler_config.json", "processor/preprocessor_config.json"


def flipped(part, place=-1000):
    """A bit of the weights is turned; the folder still states the hashes of its files."""

    def change(data):
        data[place] ^= 1
        return data

    make = raw(part, change)

    def made(folder):
        make(folder)
        (folder / "model" / "hashes.json").write_bytes((MINI / "hashes.json").read_bytes())

    return made


def swapped(part):
    """The second shard is a copy of the first."""
    return sharded(part, lambda shards, _: shards[1].write_bytes(shards[0].read_bytes()) and None)


def index(part, change):
    """The index of the shards says something else."""

    def then(_, file):
        file.write_text(change(json.loads(file.read_text())))

    return sharded(part, then)


MODELS = {
    # tensors
    "encoder without its embedding": (without(E, "embed_tokens"), "embed_tokens"),
    "encoder without vision": (without(E, "visual."), "visual."),
    "encoder without one bias": (without(E, "layers.0.self_attn.q_proj.bias"), "layers.0.self_attn.q_proj.bias"),
    "transformer without one bias": (without(T, "img_in.bias"), "img_in.bias"),
    "transformer without a block": (without(T, "transformer_blocks.3."), "transformer_blocks.3."),
    "vae without its last layer": (without(V, "decoder.conv_out"), "decoder.conv_out"),
    "vae without its encoder": (without(V, "encoder."), "encoder."),
    "transformer with no tensors": (tensors(T, lambda t: {}), "transformer"),
    "transformer of another shape": (tensors(T, lambda t: t | {"img_in.bias": np.zeros(7, np.float16)}), "img_in.bias"),
    "encoder of another shape": (
        tensors(E, lambda t: t | {"model.norm.weight": np.zeros(7, np.float32)}),
        "norm.weight [7], not [128]",
    ),
    "vae of another shape": (
        tensors(V, lambda t: {k: v[:-1] if k == "encoder.conv_in.bias" else v for k, v in t.items()}),
        "encoder.conv_in.bias",
    ),
    "encoder not finite": (tensors(E, lambda t: {k: v * np.float32("inf") for k, v in t.items()}), "not finite"),
    "transformer of whole numbers": (tensors(T, whole), "I8"),
    "vae of whole numbers": (tensors(V, whole), "I8"),
    "encoder of whole numbers": (tensors(E, whole), "I8"),
    "transformer with weights of another model": (
        tensors(T, lambda t: t | {"single_blocks.0.weight": np.zeros(2, np.float16)}),
        "single_blocks.0.weight",
    ),
    # bytes
    "transformer cut": (raw(T, lambda b: b[: len(b) // 2]), "transformer"),
    "encoder cut": (raw(E, lambda b: b[: len(b) // 2]), "text_encoder"),
    "vae longer": (raw(V, lambda b: b + b"\0" * 16), "vae"),
    "encoder a deep header": (raw(E, lambda b: (100_000).to_bytes(8, "little") + b"[" * 100_000), "text_encoder"),
    "transformer with a flipped bit": (flipped(T), "transformer/diffusion_pytorch_model.safetensors"),
    "encoder with a flipped bit": (flipped(E), "text_encoder/model.safetensors"),
    "transformer without weights": (gone("transformer/diffusion_pytorch_model.safetensors"), "transformer"),
    "vae a pickle": (model(as_bin), "vae"),
    # shards
    "transformer a shard over another": (swapped(T), "transformer"),
    "vae a shard over another": (swapped(V), "vae"),
    "transformer without a shard": (sharded(T, lambda s, _: s[1].unlink()), "00002-of-00003"),
    "vae a cut shard": (sharded(V, lambda s, _: s[2].write_bytes(s[2].read_bytes()[:-9]) and None), "vae"),
    "transformer index no JSON": (index(T, lambda _: "{"), "index.json"),
    "encoder index a list": (index(E, lambda _: "[]"), "index.json"),
    "transformer index without a map": (index(T, lambda _: "{}"), "index.json"),
    "vae index of numbers": (
        index(V, lambda d: json.dumps({**d, "weight_map": dict.fromkeys(d["weight_map"], 3)})),
        "index.json",
    ),
    "encoder index that leads out": (
        index(E, lambda d: json.dumps({**d, "weight_map": {k: f"../../../{v}" for k, v in d["weight_map"].items()}})),
        "index.json",
    ),
    "encoder index that lacks keys": (
        index(E, lambda d: json.dumps({**d, "weight_map": dict(list(d["weight_map"].items())[:3])})),
        "text_encoder",
    ),
    # configurations of the parts
    "transformer config deep": (text(CONFIG[T], DEEP), CONFIG[T]),
    "transformer config not UTF-8": (text(CONFIG[T], b"\xff\xfe{}"), CONFIG[T]),
    "transformer config {}": (text(CONFIG[T], "{}"), "transformer"),
    "transformer of 10^9 layers": (entries(CONFIG[T], num_layers=HUGE), "num_layers"),
    "transformer of one more layer": (entries(CONFIG[T], num_layers=7), "transformer_blocks.6."),
    "transformer of -1 layers": (entries(CONFIG[T], num_layers=-1), "num_layers"),
    "transformer of wide heads": (entries(CONFIG[T], attention_head_dim=HUGE), "attention_head_dim"),
    "transformer of other axes": (entries(CONFIG[T], axes_dims_rope=[1, 2, 3]), "transformer"),
    "transformer of another class": (
        entries(CONFIG[T], _class_name="FluxTransformer2DModel"),
        "FluxTransformer2DModel",
    ),
    "vae config {}": (text(CONFIG[V], "{}"), "vae"),
    "vae mean of three": (entries(CONFIG[V], latents_mean=[0.1, 0.2, 0.3]), "latents_mean"),
    "vae std with zero": (entries(CONFIG[V], latents_std=[0.0] * 16), "latents_std"),
    "vae of 10^9 blocks": (entries(CONFIG[V], num_res_blocks=HUGE), "num_res_blocks"),
    "encoder config {}": (text(CONFIG[E], "{}"), "text_encoder"),
    "encoder of another kind": (entries(CONFIG[E], model_type="llama"), "text_encoder"),
    "encoder of 10^9 layers": (entries(CONFIG[E], text_config__num_hidden_layers=HUGE), "num_hidden_layers"),
    "encoder of one more layer": (
        entries(CONFIG[E], text_config__num_hidden_layers=3, text_config__layer_types=["full_attention"] * 3),
        "layers.2.",
    ),
    "encoder of 10^9 depth": (entries(CONFIG[E], vision_config__depth=HUGE), "depth"),
    "encoder of another section": (
        entries(CONFIG[E], text_config__rope_parameters__mrope_section=[1, 1, 1]),
        "mrope_section",
    ),
    "encoder of another picture token": (entries(CONFIG[E], image_token_id=77), "its tokens are not those"),
    "encoder not tied and without a head": (
        entries(CONFIG[E], tie_word_embeddings=False, text_config__tie_word_embeddings=False),
        "lm_head",
    ),
    # tokenizer and processor
    "tokenizer.json {}": (text("tokenizer/tokenizer.json", "{}"), "tokenizer"),
    "processor tokenizer.json {}": (text("processor/tokenizer.json", "{}"), "processor"),
    "tokenizer.json gone": (gone("processor/tokenizer.json"), "processor"),
    "tokenizer without words": (entries("processor/tokenizer.json", model__vocab={}, model__merges=[]), "processor"),
    "tokenizer config a list": (text("processor/tokenizer_config.json", "[]"), "processor/tokenizer_config.json"),
    "processor config no JSON": (text(PICTURES, "{"), PICTURES),
    "processor without patches": (entries(PICTURES, patch_size=0), "patch_size"),
    "processor of other patches": (entries(PICTURES, patch_size=7), "its patches are not those"),
    "processor merges nothing": (entries(PICTURES, merge_size=0), "merge_size"),
    "processor of two colours": (entries(PICTURES, image_mean=[0.5, 0.5]), "processor"),
    "processor std of zero": (entries(PICTURES, image_std=[0, 0, 0]), "processor"),
    "processor size huge": (entries(PICTURES, size={"longest_edge": 10**18, "shortest_edge": 10**18}), "processor"),
    "processor rescales by word": (entries(PICTURES, rescale_factor="x"), "processor"),
    # scheduler
    "scheduler config no JSON": (text(SCHEDULER, "{"), SCHEDULER),
    "scheduler config deep": (text(SCHEDULER, DEEP), SCHEDULER),
    "scheduler of another class": (entries(SCHEDULER, _class_name="DDIMScheduler"), "DDIMScheduler"),
    "scheduler of no timesteps": (entries(SCHEDULER, num_train_timesteps=0), "scheduler"),
    "scheduler of 10^12 timesteps": (entries(SCHEDULER, num_train_timesteps=10**12), "scheduler"),
    "scheduler shift not a number": (entries(SCHEDULER, base_shift=float("nan")), "scheduler"),
    "scheduler of equal lengths": (entries(SCHEDULER, base_image_seq_len=8192), "scheduler"),
    "scheduler terminal above one": (entries(SCHEDULER, shift_terminal=1.5), "scheduler"),
    # the folder
    "model_index deep": (text("model_index.json", DEEP), "model_index.json"),
    "model_index a list": (text("model_index.json", "[]"), "model_index.json"),
    "workbench a list": (text("workbench.json", "[]"), "workbench.json"),
    "workbench deep": (text("workbench.json", DEEP), "workbench.json"),
    "workbench of a huge size": (entries("workbench.json", resolution=HUGE), "resolution"),
    "workbench of a size by word": (entries("workbench.json", resolution="large"), "resolution"),
    "workbench of a quality by word": (entries("workbench.json", least_psnr="good"), "least_psnr"),
    "workbench of an unknown style": (entries("workbench.json", styles=["oil"]), "styles"),
    "hashes deep": (text("hashes.json", DEEP), "hashes.json"),
    "hashes a list": (text("hashes.json", "[]"), "hashes.json"),
    "hashes of a file that is gone": (text("hashes.json", '{"vae/other.json": "' + "0" * 64 + '"}'), "vae/other.json"),
}

A = f"transformer.{BLOCK}.to_q.lora_A.weight"
ADAPTERS = {
    "int8": (typed("I8", 1), "int8"),
    "complex": (typed("C64", 8), "complex64"),
    "fp4": (typed("F4", 1), "a.safetensors"),
    "0-d": (adapter(lora() | {A: np.array(1, np.float32)}), "lora_A []"),
    "rank 0": (adapter(lora(rank=0)), "lora_A [0, 192]"),
    "two layouts for one layer": (adapter(lora() | lora("diffusion_model.")), "twice"),
    "network_alpha zero": (adapter(lora(), {"network_alpha": "0"}), "alpha 0"),
    "alpha of thousands of digits": (noted(lora_alpha=10**4000), "a.safetensors"),
    "endless alpha_pattern": (
        noted(r=RANK, lora_alpha=8, alpha_pattern={"(([a-z0-9_.]*)*)*!": 3}),
        "regular expression",
    ),
    "deep notes": (adapter(lora(), {"lora_adapter_metadata": DEEP}), "nested too deep"),
    "deep header": (header(DEEP.encode()), "damaged"),
    "deep header of objects": (header(b'{"a":' * 100_000), "damaged"),
    "header of huge shapes": (
        header(b'{"a":{"dtype":"F32","shape":[9223372036854775807,9],"data_offsets":[0,4]}}', bytes(4)),
        "damaged",
    ),
    "header of overlaps": (
        header(
            b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
            bytes(4),
        ),
        "damaged",
    ),
    "header with a null byte": (
        header(b'{"a\\u0000b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(4)),
        "does not fit",
    ),
    "a million keys": (
        header(
            json.dumps(
                {f"k{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(100_000)}
            ).encode()
        ),
        "does not fit",
    ),
    "a pickle": (content(b"\x80\x04K\x01."), "damaged"),
}
OTHER_ADAPTERS = [
    Case("adapter a big name", (*EDIT, "--lora-path", "A.SAFETENSORS"), "int8", upper_case),
    Case("adapter .bin", (*EDIT, "--lora-path", "a.bin"), "other formats can run code", content(b"x", "a.bin")),
    Case("adapter a link to nowhere", ADAPTER, "no adapter", lambda f: (f / "a.safetensors").symlink_to("nowhere")),
    Case(
        "adapter a link to itself",
        ADAPTER,
        "a.safetensors",
        lambda f: (f / "a.safetensors").symlink_to("a.safetensors"),
    ),
    Case(
        "adapter a folder of that name", ADAPTER, "holds 0 safetensors files", lambda f: (f / "a.safetensors").mkdir()
    ),
    Case("info of a damaged adapter", ("info", "--lora-path", "a.safetensors"), "damaged", content(b"x" * 99)),
    Case(
        "info of a model without tensors",
        ("info", "--lora-path", "none", "--model-path", "model"),
        "img_in.bias",
        without(T, "img_in.bias"),
    ),
]


BENCHES = {
    "a box larger than the picture": (bench({"box": [0, 0, 13000, 13000]}), "outside of the picture"),
    "a box of whole numbers without end": (bench({"box": [0, 0, 10**400, 1]}), "face box"),
    "a box that is not finite": (bench('{"image":"p.png","expression":"happy","box":[0,0,NaN,9]}'), "face box"),
    "a negative box": (bench({"box": [-5, 0, 9, 9]}), "outside of the picture"),
    "a deep box": (bench({"box": "(" * 5000}), "face box"),
    "a long box": (bench({"box": list(range(1000))}), "face box"),
    "a box that is a sum": (bench({"box": "-" * 5000 + "1"}), "face box"),
    "a box of words": (bench({"box": ["a", "b", "c", "d"]}), "face box"),
    "rows nested deep": (bench("[" * 100_000), "tasks.jsonl"),
    "a picture that is a bomb": (bench({}, picture=bomb), "limit"),
    "a picture that is PostScript": (
        bench({}, picture=b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\nshowpage\n"),
        "known format",
    ),
    "a picture that is gone": (bench({"image": "q.png"}), "q.png"),
    "a cell with PostScript": (parquet(cell(partial(encoded, "EPS"))), "known format"),
    "a cell with a bomb": (parquet(cell(bomb)), "limit"),
    "a cell with text": (parquet(cell(b"hello")), "known format"),
    "a cell with a small picture": (parquet(cell(partial(png, 4, 4)), box=[0, 0, 4, 4]), "at least 16"),
    "a cell with an animation": (parquet(cell(animated)), "frames"),
    "a cell with nothing": (parquet(cell(b"")), "no image"),
    "a cell with a number": (parquet(lambda: 7), "no image"),
    "a cell and a box outside of it": (parquet(cell(png), box=[0, 0, 65, 64]), "outside of the picture"),
    "a table that is cut": (cut_table, "tasks.parquet"),
    "a table that is text": (no_table, "t.parquet"),
}


CASES = [
    *(Case(f"model: {name}", MODEL, says, make) for name, (make, says) in MODELS.items()),
    *(Case(f"adapter: {name}", ADAPTER, says, make) for name, (make, says) in ADAPTERS.items()),
    *OTHER_ADAPTERS,
    *(Case(f"bench: {name}", BENCH, says, make) for name, (make, says) in BENCHES.items()),
]
