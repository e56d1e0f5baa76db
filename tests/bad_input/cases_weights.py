"""Model folders, adapters, and pictures and boxes of benches."""

import json

import numpy as np
from bad_input import Case
from broken_weights import (
    BLOCK,
    MINI,
    RANK,
    WIDTH,
    adapter,
    bench,
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

EDIT = ("edit", "--image-path", "face.png", "--mix", "happy=1", "--steps", "1", "--output-dir", "out")
MODEL = (*EDIT, "--lora-path", "none", "--model-path", "model")
ADAPTER = (*EDIT, "--lora-path", "a.safetensors")
BENCH = ("bench", "--methods", "source", "--bench", "bench", "--out", "out")

T, V, E = "transformer", "vae", "text_encoder"
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
    "encoder without a layer": (without(E, "layers.1."), "layers.1."),
    "encoder without vision": (without(E, "visual."), "visual."),
    "encoder without one bias": (without(E, "layers.0.self_attn.q_proj.bias"), "layers.0.self_attn.q_proj.bias"),
    "transformer without one bias": (without(T, "img_in.bias"), "img_in.bias"),
    "transformer without a block": (without(T, "transformer_blocks.3."), "transformer_blocks.3."),
    "transformer without norms": (without(T, "norm"), "norm"),
    "vae without its last layer": (without(V, "decoder.conv_out"), "decoder.conv_out"),
    "vae without one gamma": (without(V, "encoder.norm_out.gamma"), "encoder.norm_out.gamma"),
    "vae without its encoder": (without(V, "encoder."), "encoder."),
    "transformer with no tensors": (tensors(T, lambda t: {}), "transformer"),
    "encoder with no tensors": (tensors(E, lambda t: {}), "text_encoder"),
    "vae with no tensors": (tensors(V, lambda t: {}), "vae"),
    "transformer of another shape": (tensors(T, lambda t: t | {"img_in.bias": np.zeros(7, np.float16)}), "img_in.bias"),
    "encoder of another shape": (tensors(E, lambda t: t | {"model.norm.weight": np.zeros(7, np.float32)} if "model.norm.weight" in t else {k: v[:-1] if k.endswith("norm.weight") else v for k, v in t.items()}), "norm.weight"),
    "vae of another shape": (tensors(V, lambda t: {k: v[:-1] if k == "encoder.conv_in.bias" else v for k, v in t.items()}), "encoder.conv_in.bias"),
    "transformer not finite": (tensors(T, lambda t: {k: v * np.float16("nan") for k, v in t.items()}), "not finite"),
    "encoder not finite": (tensors(E, lambda t: {k: v * np.float32("inf") for k, v in t.items()}), "not finite"),
    "vae not finite": (tensors(V, lambda t: {k: v * np.float16("nan") for k, v in t.items()}), "not finite"),
    "transformer of whole numbers": (tensors(T, lambda t: {k: (v * 100).astype(np.int8) for k, v in t.items()}), "int8"),
    "vae of whole numbers": (tensors(V, lambda t: {k: (v * 100).astype(np.int8) for k, v in t.items()}), "int8"),
    "encoder of whole numbers": (tensors(E, lambda t: {k: (v * 100).astype(np.int8) for k, v in t.items()}), "int8"),
    "transformer with weights of another model": (tensors(T, lambda t: t | {"single_blocks.0.weight": np.zeros(2, np.float16)}), "single_blocks.0.weight"),
    "vae in the place of the transformer": (model(lambda f: (f / T / "diffusion_pytorch_model.safetensors").unlink() or (f / T / "diffusion_pytorch_model.safetensors").symlink_to(MINI / V / "diffusion_pytorch_model.safetensors")), "transformer"),
    # bytes
    "transformer cut": (raw(T, lambda b: b[: len(b) // 2]), "transformer"),
    "encoder cut": (raw(E, lambda b: b[: len(b) // 2]), "text_encoder"),
    "vae longer": (raw(V, lambda b: b + b"\0" * 16), "vae"),
    "transformer empty": (raw(T, lambda b: b""), "transformer"),
    "transformer a page": (raw(T, lambda b: b"<!DOCTYPE html>" * 100), "transformer"),
    "vae a header of 2^64": (raw(V, lambda b: b"\xff" * 8 + b[8:]), "vae"),
    "encoder a deep header": (raw(E, lambda b: (100_000).to_bytes(8, "little") + b"[" * 100_000), "text_encoder"),
    "transformer with a flipped bit": (flipped(T), "transformer/diffusion_pytorch_model.safetensors"),
    "vae with a flipped bit": (flipped(V), "vae/diffusion_pytorch_model.safetensors"),
    "encoder with a flipped bit": (flipped(E), "text_encoder/model.safetensors"),
    "transformer without weights": (gone("transformer/diffusion_pytorch_model.safetensors"), "transformer"),
    "encoder without weights": (gone("text_encoder/model.safetensors"), "text_encoder"),
    "vae a pickle": (model(lambda f: (f / V / "diffusion_pytorch_model.safetensors").rename(f / V / "diffusion_pytorch_model.bin") and None), "vae"),
    # shards
    "transformer a shard over another": (swapped(T), "transformer"),
    "encoder a shard over another": (swapped(E), "text_encoder"),
    "vae a shard over another": (swapped(V), "vae"),
    "transformer without a shard": (sharded(T, lambda s, _: s[1].unlink()), "00002-of-00003"),
    "encoder without a shard": (sharded(E, lambda s, _: s[1].unlink()), "00002-of-00003"),
    "vae a cut shard": (sharded(V, lambda s, _: s[2].write_bytes(s[2].read_bytes()[:-9]) and None), "vae"),
    "transformer index no JSON": (index(T, lambda _: "{"), "index.json"),
    "encoder index a list": (index(E, lambda _: "[]"), "index.json"),
    "encoder index deep": (index(E, lambda _: DEEP), "index.json"),
    "transformer index without a map": (index(T, lambda _: "{}"), "index.json"),
    "vae index of numbers": (index(V, lambda d: json.dumps({**d, "weight_map": dict.fromkeys(d["weight_map"], 3)})), "index.json"),
    "encoder index that leads out": (index(E, lambda d: json.dumps({**d, "weight_map": {k: f"../../../{v}" for k, v in d["weight_map"].items()}})), "index.json"),
    "encoder index that lacks keys": (index(E, lambda d: json.dumps({**d, "weight_map": dict(list(d["weight_map"].items())[:3])})), "text_encoder"),
    # configurations of the parts
    "transformer config empty": (text("transformer/config.json", ""), "transformer/config.json"),
    "transformer config a list": (text("transformer/config.json", "[]"), "transformer/config.json"),
    "transformer config deep": (text("transformer/config.json", DEEP), "transformer/config.json"),
    "transformer config not UTF-8": (text("transformer/config.json", b"\xff\xfe{}"), "transformer/config.json"),
    "transformer config {}": (text("transformer/config.json", "{}"), "transformer"),
    "transformer config gone": (gone("transformer/config.json"), "transformer"),
    "transformer of 10^9 layers": (entries("transformer/config.json", num_layers=HUGE), "num_layers"),
    "transformer of one more layer": (entries("transformer/config.json", num_layers=7), "transformer_blocks.6."),
    "transformer of -1 layers": (entries("transformer/config.json", num_layers=-1), "num_layers"),
    "transformer of half a head": (entries("transformer/config.json", num_attention_heads=0.5), "num_attention_heads"),
    "transformer of heads by word": (entries("transformer/config.json", num_attention_heads="six"), "num_attention_heads"),
    "transformer of wide heads": (entries("transformer/config.json", attention_head_dim=HUGE), "attention_head_dim"),
    "transformer of no patch": (entries("transformer/config.json", patch_size=0), "patch_size"),
    "transformer of other axes": (entries("transformer/config.json", axes_dims_rope=[1, 2, 3]), "transformer"),
    "transformer axes by word": (entries("transformer/config.json", axes_dims_rope="abc"), "transformer"),
    "transformer of another class": (entries("transformer/config.json", _class_name="FluxTransformer2DModel"), "FluxTransformer2DModel"),
    "vae config {}": (text("vae/config.json", "{}"), "vae"),
    "vae config deep": (text("vae/config.json", '{"a":' * 100_000), "vae/config.json"),
    "vae mean of three": (entries("vae/config.json", latents_mean=[0.1, 0.2, 0.3]), "latents_mean"),
    "vae std with zero": (entries("vae/config.json", latents_std=[0.0] * 16), "latents_std"),
    "vae std not finite": (entries("vae/config.json", latents_std=[float("nan")] * 16), "latents_std"),
    "vae mean by word": (entries("vae/config.json", latents_mean="mean"), "latents_mean"),
    "vae of 10^9 blocks": (entries("vae/config.json", num_res_blocks=HUGE), "num_res_blocks"),
    "vae of a wide base": (entries("vae/config.json", base_dim=HUGE), "base_dim"),
    "vae of no channels": (entries("vae/config.json", z_dim=0), "z_dim"),
    "encoder config {}": (text("text_encoder/config.json", "{}"), "text_encoder"),
    "encoder config deep": (text("text_encoder/config.json", DEEP), "text_encoder/config.json"),
    "encoder config gone": (gone("text_encoder/config.json"), "text_encoder"),
    "encoder of another kind": (entries("text_encoder/config.json", model_type="llama"), "text_encoder"),
    "encoder of no known kind": (entries("text_encoder/config.json", model_type="x"), "text_encoder"),
    "encoder of 10^9 layers": (entries("text_encoder/config.json", text_config__num_hidden_layers=HUGE), "num_hidden_layers"),
    "encoder of one more layer": (entries("text_encoder/config.json", text_config__num_hidden_layers=3, text_config__layer_types=["full_attention"] * 3), "layers.2."),
    "encoder of 10^9 depth": (entries("text_encoder/config.json", vision_config__depth=HUGE), "depth"),
    "encoder of 10^12 words": (entries("text_encoder/config.json", text_config__vocab_size=10**12), "vocab_size"),
    "encoder of fewer words": (entries("text_encoder/config.json", text_config__vocab_size=100), "text_encoder"),
    "encoder of no heads": (entries("text_encoder/config.json", text_config__num_attention_heads=0), "num_attention_heads"),
    "encoder of rope by word": (entries("text_encoder/config.json", text_config__rope_parameters="x"), "text_encoder"),
    "encoder of another section": (entries("text_encoder/config.json", text_config__rope_parameters__mrope_section=[1, 1, 1]), "text_encoder"),
    "encoder of another picture token": (entries("text_encoder/config.json", image_token_id=77), "image_token_id"),
    "encoder not tied and without a head": (entries("text_encoder/config.json", tie_word_embeddings=False, text_config__tie_word_embeddings=False), "lm_head"),
    "encoder of an unknown function": (entries("text_encoder/config.json", text_config__hidden_act="x"), "text_encoder"),
    # tokenizer and processor
    "tokenizer.json {}": (text("tokenizer/tokenizer.json", "{}"), "tokenizer"),
    "processor tokenizer.json {}": (text("processor/tokenizer.json", "{}"), "processor"),
    "tokenizer.json no JSON": (text("tokenizer/tokenizer.json", "{"), "tokenizer/tokenizer.json"),
    "tokenizer.json deep": (text("processor/tokenizer.json", DEEP), "processor/tokenizer.json"),
    "tokenizer.json gone": (gone("processor/tokenizer.json"), "processor"),
    "tokenizer without words": (entries("processor/tokenizer.json", model__vocab={}, model__merges=[]), "processor"),
    "tokenizer without special words": (entries("processor/tokenizer.json", added_tokens=[]), "processor"),
    "tokenizer config a list": (text("processor/tokenizer_config.json", "[]"), "processor/tokenizer_config.json"),
    "tokenizer config no JSON": (text("tokenizer/tokenizer_config.json", "x"), "tokenizer/tokenizer_config.json"),
    "tokenizer config of another class": (entries("processor/tokenizer_config.json", tokenizer_class=7), "processor"),
    "processor config no JSON": (text(PICTURES, "{"), PICTURES),
    "processor config a list": (text(PICTURES, "[]"), PICTURES),
    "processor config gone": (gone(PICTURES), "processor"),
    "processor without patches": (entries(PICTURES, patch_size=0), "patch_size"),
    "processor of other patches": (entries(PICTURES, patch_size=7), "patch_size"),
    "processor of wide patches": (entries(PICTURES, patch_size=HUGE), "patch_size"),
    "processor merges nothing": (entries(PICTURES, merge_size=0), "merge_size"),
    "processor merges by word": (entries(PICTURES, merge_size="two"), "merge_size"),
    "processor of two colours": (entries(PICTURES, image_mean=[0.5, 0.5]), "processor"),
    "processor std of zero": (entries(PICTURES, image_std=[0, 0, 0]), "processor"),
    "processor std not finite": (entries(PICTURES, image_std=[float("nan")] * 3), "processor"),
    "processor size by word": (entries(PICTURES, size="large"), "processor"),
    "processor size huge": (entries(PICTURES, size={"longest_edge": 10**18, "shortest_edge": 10**18}), "processor"),
    "processor rescales by word": (entries(PICTURES, rescale_factor="x"), "processor"),
    # scheduler
    "scheduler config no JSON": (text(SCHEDULER, "{"), SCHEDULER),
    "scheduler config a list": (text(SCHEDULER, "[]"), SCHEDULER),
    "scheduler config deep": (text(SCHEDULER, DEEP), SCHEDULER),
    "scheduler config gone": (gone(SCHEDULER), "scheduler"),
    "scheduler of another class": (entries(SCHEDULER, _class_name="DDIMScheduler"), "DDIMScheduler"),
    "scheduler of no timesteps": (entries(SCHEDULER, num_train_timesteps=0), "scheduler"),
    "scheduler of timesteps by word": (entries(SCHEDULER, num_train_timesteps="many"), "scheduler"),
    "scheduler of 10^12 timesteps": (entries(SCHEDULER, num_train_timesteps=10**12), "scheduler"),
    "scheduler shift not a number": (entries(SCHEDULER, base_shift=float("nan")), "scheduler"),
    "scheduler shift by word": (entries(SCHEDULER, base_shift="x"), "scheduler"),
    "scheduler of equal lengths": (entries(SCHEDULER, base_image_seq_len=8192), "scheduler"),
    "scheduler of an unknown shift": (entries(SCHEDULER, time_shift_type="x"), "scheduler"),
    "scheduler terminal above one": (entries(SCHEDULER, shift_terminal=1.5), "scheduler"),
    # the folder
    "model_index deep": (text("model_index.json", DEEP), "model_index.json"),
    "model_index a list": (text("model_index.json", "[]"), "model_index.json"),
    "model_index of numbers": (entries("model_index.json", vae=7), "model_index.json"),
    "model_index of another class": (entries("model_index.json", vae=["diffusers", "AutoencoderKL"]), "AutoencoderKL"),
    "model_index of a class of its own": (entries("model_index.json", vae=["os", "system"]), "model_index.json"),
    "model_index with one part more": (entries("model_index.json", safety=["diffusers", "AutoencoderKL"]), "safety"),
    "model_index without a part": (entries("model_index.json", scheduler=...), "scheduler"),
    "workbench a list": (text("workbench.json", "[]"), "workbench.json"),
    "workbench deep": (text("workbench.json", DEEP), "workbench.json"),
    "workbench of no size": (entries("workbench.json", resolution=0), "resolution"),
    "workbench of a huge size": (entries("workbench.json", resolution=HUGE), "resolution"),
    "workbench of a size by word": (entries("workbench.json", resolution="large"), "resolution"),
    "workbench of a size not finite": (entries("workbench.json", resolution=float("nan")), "resolution"),
    "workbench of a quality by word": (entries("workbench.json", drawn_psnr="good"), "drawn_psnr"),
    "hashes deep": (text("hashes.json", DEEP), "hashes.json"),
    "hashes a list": (text("hashes.json", "[]"), "hashes.json"),
    "hashes of numbers": (text("hashes.json", '{"vae/config.json": 7}'), "hashes.json"),
    "hashes of a file that is gone": (text("hashes.json", '{"vae/other.json": "' + "0" * 64 + '"}'), "vae/other.json"),
}  # fmt: skip

A, B = f"transformer.{BLOCK}.to_q.lora_A.weight", f"transformer.{BLOCK}.to_q.lora_B.weight"
ADAPTERS = {
    "int8": (typed("I8", 1), "int8"),
    "int4 as uint8": (typed("U8", 1), "uint8"),
    "int64": (typed("I64", 8), "int64"),
    "bool": (typed("BOOL", 1), "bool"),
    "complex": (typed("C64", 8), "complex64"),
    "fp4": (typed("F4", 1), "a.safetensors"),
    "fp6": (typed("F6_E2M3", 1), "a.safetensors"),
    "0-d": (adapter(lora() | {A: np.array(1, np.float32)}), "lora_A []"),
    "rank 0": (adapter(lora(rank=0)), "lora_A [0, 192]"),
    "1-d": (adapter(lora() | {A: np.ones(WIDTH, np.float32)}), "lora_A [192]"),
    "two layouts for one layer": (adapter(lora() | lora("diffusion_model.")), "twice"),
    "two forms for one layer": (adapter(lora() | {A.replace("lora_A", "lora.down"): lora()[A]}), "twice"),
    "alpha of the header not a number": (adapter(lora(), {"lora_alpha": "1e999"}), "alpha"),
    "kohya's alpha not a number": (adapter(lora(), {"ss_network_alpha": "x"}), "alpha"),
    "network_alpha zero": (adapter(lora(), {"network_alpha": "0"}), "alpha 0"),
    "transformer.lora_alpha huge": (adapter(lora(), {"transformer.lora_alpha": "1e30"}), "alpha 1e+30"),
    "alpha of thousands of digits": (content(b"") and noted(lora_alpha=10**4000), "a.safetensors"),
    "endless alpha_pattern": (noted(r=RANK, lora_alpha=8, alpha_pattern={"(([a-z0-9_.]*)*)*!": 3}), "regular expression"),
    "endless rank_pattern": (noted(r=RANK, lora_alpha=8, rank_pattern={"(a+)+$": 3}), "regular expression"),
    "deep notes": (adapter(lora(), {"lora_adapter_metadata": DEEP}), "nested too deep"),
    "deep header": (header(DEEP.encode()), "damaged"),
    "deep header of objects": (header(b'{"a":' * 100_000), "damaged"),
    "header of a bad length": (content(b"\xff" * 8 + b"{}"), "damaged"),
    "header a number": (header(b"7"), "damaged"),
    "header whose entry is null": (header(b'{"a": null}'), "damaged"),
    "header of negative places": (header(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}'), "damaged"),
    "header of huge shapes": (header(b'{"a":{"dtype":"F32","shape":[9223372036854775807,9],"data_offsets":[0,4]}}', bytes(4)), "damaged"),
    "header of overlaps": (header(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(4)), "damaged"),
    "header twice the same": (header(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(4)), "a.safetensors"),
    "header with a null byte": (header(b'{"a\\u0000b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(4)), "does not fit"),
    "header with half a letter": (header(b'{"\\ud800":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(4)), "damaged"),
    "notes that are numbers": (header(b'{"__metadata__":{"lora_alpha":8},"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'), "damaged"),
    "a million keys": (header(json.dumps({f"k{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(100_000)}).encode()), "does not fit"),
    "a pickle": (content(b"\x80\x04K\x01."), "damaged"),
    "empty": (content(b""), "damaged"),
}  # fmt: skip
OTHER_ADAPTERS = [
    Case("adapter a big name", (*EDIT, "--lora-path", "A.SAFETENSORS"), "int8", lambda f: typed("I8", 1)(f) or (f / "a.safetensors").rename(f / "A.SAFETENSORS") and None),
    Case("adapter .bin", (*EDIT, "--lora-path", "a.bin"), "other formats can run code", content(b"x", "a.bin")),
    Case("adapter a link to nowhere", ADAPTER, "no adapter", lambda f: (f / "a.safetensors").symlink_to("nowhere")),
    Case("adapter a link to itself", ADAPTER, "a.safetensors", lambda f: (f / "a.safetensors").symlink_to("a.safetensors")),
    Case("adapter a folder of that name", ADAPTER, "holds 0 safetensors files", lambda f: (f / "a.safetensors").mkdir()),
    Case("info of a damaged adapter", ("info", "--lora-path", "a.safetensors"), "damaged", content(b"x" * 99)),
    Case("info of a model without tensors", ("info", "--lora-path", "none", "--model-path", "model"), "img_in.bias", without(T, "img_in.bias")),
]  # fmt: skip


def bomb():
    return png(13_000, 13_000, "1")


def eps():
    return encoded("EPS", mode="RGB")


def cell(data, path=None):
    return lambda: {"bytes": data() if callable(data) else data, "path": path}


BENCHES = {
    "a box larger than the picture": (bench({"box": [0, 0, 13000, 13000]}), "outside of the picture"),
    "a box of whole numbers without end": (bench({"box": [0, 0, 10**400, 1]}), "face box"),
    "a box of floats without end": (bench({"box": [0, 0, 1e308, 1e308]}), "face box"),
    "a box that is not finite": (bench('{"image":"p.png","expression":"happy","box":[0,0,NaN,9]}'), "face box"),
    "an infinite box": (bench('{"image":"p.png","expression":"happy","box":[0,0,Infinity,9]}'), "face box"),
    "a negative box": (bench({"box": [-5, 0, 9, 9]}), "outside of the picture"),
    "a deep box": (bench({"box": "(" * 5000}), "face box"),
    "a deep box of lists": (bench({"box": "[" * 200 + "]" * 200}), "face box"),
    "a long box": (bench({"box": list(range(1000))}), "face box"),
    "a box that is a sum": (bench({"box": "-" * 5000 + "1"}), "face box"),
    "a box of words": (bench({"box": ["a", "b", "c", "d"]}), "face box"),
    "a box of truths": (bench({"box": [False, False, True, True]}), "face box"),
    "an empty box": (bench({"box": [9, 9, 9, 20]}), "is empty"),
    "a flat box": (bench({"box": [0, 0, 0.4, 0.4]}), "face box"),
    "a number for a box": (bench({"box": 7}), "face box"),
    "rows nested deep": (bench("[" * 100_000), "tasks.jsonl"),
    "an identity of hundreds of digits": (bench({"identity": 10**400}), "identity"),
    "a negative identity": (bench({"identity": -1}), "identity"),
    "a picture that is a bomb": (bench({"box": [0, 0, 9, 9]}, picture=b"") if False else lambda f: bench({})(f) or (f / "bench" / "p.png").write_bytes(bomb()) and None, "limit"),
    "a picture that is PostScript": (bench({}, picture=b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\nshowpage\n"), "known format"),
    "a picture that is cut": (bench({}, picture=png()[:60]), "damaged"),
    "a picture that is text": (bench({}, picture=b"hello"), "known format"),
    "a picture that is gone": (bench({"image": "q.png"}), "q.png"),
    "a cell with PostScript": (parquet(cell(eps)), "known format"),
    "a cell with a bomb": (parquet(cell(bomb)), "limit"),
    "a cell with text": (parquet(cell(b"hello")), "known format"),
    "a cell with a cut picture": (parquet(cell(lambda: png()[:60])), "damaged"),
    "a cell with a small picture": (parquet(cell(lambda: png(4, 4)), box=[0, 0, 4, 4]), "at least 16"),
    "a cell with an animation": (parquet(cell(lambda: encoded("GIF", save_all=True, append_images=[])) if False else cell(lambda: animated())), "frames"),
    "a cell with nothing": (parquet(cell(b"")), "no image"),
    "a cell with a number": (parquet(lambda: 7), "no image"),
    "a cell and a box outside of it": (parquet(cell(png), box=[0, 0, 65, 64]), "outside of the picture"),
    "a table that is cut": (lambda f: parquet(cell(png))(f) or cut(f / "bench" / "tasks.parquet"), "tasks.parquet"),
    "a table that is text": (lambda f: (f / "bench").mkdir() or (f / "bench" / "t.parquet").write_bytes(b"PAR1hello") and None, "t.parquet"),
}  # fmt: skip


def animated():
    import io

    from PIL import Image

    stream = io.BytesIO()
    frames = [Image.new("RGB", (64, 64), c) for c in ("red", "blue")]
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    return stream.getvalue()


def cut(file):
    file.write_bytes(file.read_bytes()[:-40])


def faked(folder):
    """A bench in the form of a folder that `datasets` made, with a picture whose file is PostScript."""


CASES = [
    *(Case(f"model: {name}", MODEL, says, make) for name, (make, says) in MODELS.items()),
    *(Case(f"adapter: {name}", ADAPTER, says, make) for name, (make, says) in ADAPTERS.items()),
    *OTHER_ADAPTERS,
    *(Case(f"bench: {name}", BENCH, says, make) for name, (make, says) in BENCHES.items()),
]
