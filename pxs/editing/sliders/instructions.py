"""Prompts that give several instructions, one for each expression, and which of their tokens belong to which.

    Edit the person to show a happy expression and Edit the person to show a surprised expression

SliderEdit (arXiv 2511.09715) joins instructions by " and ". The text encoder looks back only, so what follows an
instruction has seen it: the word "and" belongs to the instruction before it, and the end of the pipeline's template, in
which all instructions are seen, belongs to each in equal parts. The tokens are found by their characters, so a word may
be split in another way inside of the prompt than alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from pxs.expressions import EXPRESSIONS, prompt

if TYPE_CHECKING:
    from diffusers import QwenImageEditPlusPipeline

JOIN = " and "


def joint_prompt(words: Sequence[str], domain: str) -> str:
    """The prompt that gives the instructions of several expressions, in their order; of one it is its own prompt."""
    return JOIN.join(prompt(word, domain) for word in words)


def shares(pipe: QwenImageEditPlusPipeline, words: Sequence[str], domain: str) -> Tensor:
    """The share (T, 12), float32, that each expression's instruction has in the last T tokens of their joint prompt.

    They begin with the first token of the first instruction, and end with the prompt's embeddings; each row sums to 1.
    The tokens before them, those of the template and of the picture, belong to no instruction. The columns are in the
    order of EXPRESSIONS.
    """
    text, end = joint_prompt(words, domain), pipe.prompt_template_encode.partition("{}")[2]
    processor: Any = pipe.processor
    places = processor.tokenizer(text + end, return_offsets_mapping=True)["offset_mapping"]
    starts = list(accumulate((len(prompt(word, domain)) + len(JOIN) for word in words[:-1]), initial=0))
    columns = [EXPRESSIONS.index(word) for word in words]
    found = torch.zeros(len(places), len(EXPRESSIONS))
    for row, (first, last) in zip(found, places, strict=True):
        if first >= len(text):
            row[columns] = 1 / len(columns)
        else:
            row[columns[sum(start < last for start in starts) - 1]] = 1
    return found
