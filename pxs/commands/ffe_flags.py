"""The flags of the stages of `pxs ffe`, see commands/ffe.py."""

from __future__ import annotations

import argparse

from pxs.commands.arguments import add_model, path
from pxs.commands.many import ENGINES
from pxs.expressions import DOMAINS
from pxs.parsing import argument
from pxs.quantities import COUNT, RATERS, SEED, SHARE, STEPS, WORKERS, Real, Whole

PORT = Whole("port", 0, 65535, "0 for any that is free")
ATTEMPTS = Whole("attempts", 1, 20, "each with the next seed")
EACH = Whole("number of pictures", 1, 100, "of an expression at each strength")
PAIRS = Whole("pairs", 1, 15, "of expressions for each picture")
PIXELS = Real("face size", 16, 10_000, "in pixels")
SHARP = Real("sharpness", 0, 1e6, "where 0 takes all")
DEGREES = Real("turn", 0, 180, "in degrees")
COSINE = Real("cosine", -1, 1, "of two pictures of one person")
GAP = Real("difference", 0, 1, "of two scores")


def add_collect(step: argparse.ArgumentParser) -> None:
    """The flags of `pxs ffe collect`."""
    step.add_argument("pictures", nargs="+", metavar="PICTURES", help="files, folders or patterns")
    step.add_argument("--out", type=path, required=True, help="folder of the data set")
    step.add_argument("--size", type=argument(PIXELS), default=96, help="least size of a face, in pixels (default 96)")
    step.add_argument("--sharpness", type=argument(SHARP), default=20, help="least sharpness (default 20; 0 takes all)")
    step.add_argument(
        "--turn", type=argument(DEGREES), default=35, help="largest turn of a head, in degrees (default 35)"
    )
    step.add_argument("--identity-judge", default="auto", metavar="NAME", help="auto, none, or see pxs judges")
    step.add_argument(
        "--same", type=argument(COSINE), help="cosine from which two pictures are one person (default by judge)"
    )
    step.add_argument("--licence", default="not stated", metavar="TEXT", help="of all pictures, such as CC0-1.0")
    step.add_argument("--origin", default="not stated", metavar="TEXT", help="where they come from")
    step.add_argument("--terms", type=path, metavar="FILE", help="CSV with file,licence,origin: of files or folders")
    step.add_argument("--domain", default="human", choices=tuple(DOMAINS), help="of pictures that do not say theirs")
    step.add_argument(
        "--reject", nargs="+", default=[], metavar="NAME", help="pictures on the sheet to leave out, for good"
    )


def add_compose(step: argparse.ArgumentParser) -> None:
    """The flags of `pxs ffe compose`."""
    add_folder(step)
    step.add_argument(
        "--most", type=argument(COUNT.named("prompts")), default=8, help="of an expression at each strength (default 8)"
    )
    step.add_argument("--judge", metavar="NAME", help="also ask endpoint or vlm what no face can show at once")
    _add_endpoint(step)


def add_generate(step: argparse.ArgumentParser) -> None:
    """The flags of `pxs ffe generate`."""
    add_folder(step)
    step.add_argument(
        "--method", required=True, metavar="NAME", help="as in pxs bench: truth (rendered people), pixelsmile, ..."
    )
    step.add_argument("--pairs", type=argument(PAIRS), default=2, help="of expressions for each picture (default 2)")
    step.add_argument(
        "--each", type=argument(EACH), default=1, help="pictures of an expression at each strength (default 1)"
    )
    step.add_argument(
        "--per-person",
        type=argument(EACH.named("per-person")),
        default=1,
        help="pictures of a person that are edited (default 1)",
    )
    step.add_argument("--seed", type=argument(SEED), default=42, help="of the first attempt (default 42)")
    step.add_argument("--steps", type=argument(STEPS), default=12, help="denoising steps (default 12)")
    step.add_argument("--attempts", type=argument(ATTEMPTS), default=3, help="for a picture that fails (default 3)")
    step.add_argument("--any-face", action="store_true", help="take pictures in which no face is found, too")
    step.add_argument("--dtype", choices=("float32", "bfloat16"), help="of the model (default by device)")
    _add_engine(step)
    add_model(step)


def add_annotate(step: argparse.ArgumentParser) -> None:
    """The flags of `pxs ffe annotate`."""
    add_folder(step)
    step.add_argument(
        "--judges", nargs="+", required=True, metavar="NAME", help="truth, or see pxs judges; each is a pass"
    )
    _add_endpoint(step)
    step.add_argument("--identity-judge", default="auto", metavar="NAME", help="auto, none, or see pxs judges")
    step.add_argument("--alike", type=argument(COSINE), help="least cosine of picture and source (default by judge)")
    step.add_argument(
        "--apart", type=argument(GAP), default=0.25, help="largest difference of two passes (default 0.25)"
    )
    _add_engine(step)


def add_describe(step: argparse.ArgumentParser) -> None:
    """The flags of `pxs ffe describe`."""
    add_folder(step)
    step.add_argument("--judge", default="endpoint", metavar="NAME", help="endpoint or vlm (default endpoint)")
    _add_endpoint(step)


def add_folder(step: argparse.ArgumentParser) -> None:
    """The folder of the data set."""
    step.add_argument("folder", type=path, metavar="FOLDER", help="of the data set")


def _add_endpoint(step: argparse.ArgumentParser) -> None:
    """How a vision-language model is reached."""
    step.add_argument("--judge-url", help="address of an OpenAI-compatible endpoint, for the judge endpoint")
    step.add_argument("--judge-model", help="the model behind it; for the judge vlm, its folder")
    parallel = argument(WORKERS.named("judge-parallel"))
    step.add_argument("--judge-parallel", type=parallel, default=4, metavar="N", help="requests at once (default 4)")


def _add_engine(step: argparse.ArgumentParser) -> None:
    """Who does the work."""
    step.add_argument("--engine", default="local", choices=ENGINES, help="local, or ray for a cluster of machines")
    step.add_argument(
        "--workers", type=argument(WORKERS), default=1, metavar="N", help="actors of the engine ray (default 1)"
    )


def add_ask(step: argparse.ArgumentParser) -> None:
    """The flags of `pxs ffe ask`."""
    add_folder(step)
    step.add_argument("--raters", type=argument(RATERS), default=2, help="how many people (default 2)")
    step.add_argument(
        "--share", type=argument(SHARE), default=0.2, help="of the labels that are not in doubt (default 0.2)"
    )
    step.add_argument(
        "--overlap", type=argument(SHARE.named("overlap")), default=0.2, help="share that two people see (default 0.2)"
    )
    step.add_argument("--seed", type=argument(SEED), default=42, help="of choice and order (default 42)")


def add_serve(step: argparse.ArgumentParser) -> None:
    """The flags of `pxs ffe serve`."""
    add_folder(step)
    step.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1: this machine)")
    step.add_argument("--port", type=argument(PORT), default=8766, help="default 8766; 0 for any that is free")


def add_verify(step: argparse.ArgumentParser) -> None:
    """The flags of `pxs ffe verify`."""
    add_folder(step)
    step.add_argument(
        "answers", nargs="*", type=path, metavar="ANSWERS", help="files that people saved, beside what was sent"
    )


def add_build(step: argparse.ArgumentParser) -> None:
    """The flags of `pxs ffe build`."""
    add_folder(step)
    step.add_argument(
        "--use", default="", metavar="SCORES", help="first, all, sure or verified (default the best there are)"
    )
    step.add_argument(
        "--test", type=argument(SHARE.named("test")), default=0.1, help="share of the people for tests (default 0.1)"
    )
    step.add_argument("--seed", type=argument(SEED), default=0, help="of the split (default 0)")
