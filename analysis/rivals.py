"""The methods of linear control beside each other: what each adds to the model, and what its training cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pxs.benchmark.methods import Method
from pxs.benchmark.methods.sliders import Trained
from pxs.errors import DataError


class Facts(NamedTuple):
    """The article of a method, what it adds to the model, what the intensity sets, and what its training needs."""

    article: str
    adds: str
    alpha: str
    needs: str


FACTS = {
    "base": Facts("2603.25728", "nothing", "position between two prompts", "no training"),
    "pixelsmile": Facts("2603.25728", "a LoRA on all layers", "position between two prompts", "scored pictures"),
    "slideredit": Facts("2511.09715", "a LoRA on all layers", "LoRA at 1 - alpha", "pictures"),
    "slideredit_st": Facts("2511.09715", "a LoRA on the text layers", "LoRA at 1 - alpha, by instruction", "pictures"),
    "kslider": Facts("2510.08532", "a network and a LoRA", "input of the network, cut at 1", "scored pictures"),
    "conceptslider": Facts("2311.12092", "a LoRA for each expression", "LoRA at alpha", "pictures"),
    "conceptslider_visual": Facts("2311.12092", "a LoRA for each expression", "LoRA at alpha", "scored pictures"),
    "attributecontrol": Facts("2403.17064", "a vector for each expression", "times the vector", "pictures"),
    "attributecontrol_naive": Facts("2403.17064", "nothing", "times the difference of a word", "no training"),
    "saedit": Facts("2510.05081", "a sparse autoencoder", "times a direction, by step", "prompts about pictures"),
    "flowslider": Facts("2604.02088", "nothing", "times the steering velocity", "no training"),
}


def method_table(methods: Mapping[str, Method]) -> str:
    """A Markdown table of methods: facts, and for those of `pxs train --method` what their training cost.

    Raises DataError for a method that is not one of linear control.
    """
    heads = ("method", "article", "adds", "the number sets", "training needs", "parameters", "steps", "minutes")
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for name, method in methods.items():
        if name not in FACTS:
            raise DataError(f"{name!r} is no method of linear control: choose from {', '.join(FACTS)}")
        cost = ["", "", ""]
        if isinstance(method, Trained) and not method.lacks:
            found = method.cost
            cost = [f"{found.parameters:,}", str(found.steps), f"{found.seconds / 60:.1f}"]
        f = FACTS[name]
        lines.append("| " + " | ".join([name, f"arXiv {f.article}", f.adds, f.alpha, f.needs, *cost]) + " |")
    return "\n".join(lines) + "\n"
