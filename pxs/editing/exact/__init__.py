"""Exact savings: the same pictures with less work, one file each, each tested equal to plain diffusers.

    prompt_prefix.py   the words that all prompts share, and the picture, go through the text encoder once
    modulation.py      the adaLN vectors of all steps come from a table
    contiguous.py      target and control tokens are two halves, not a mask over tokens
    last_block.py      the last block computes the target rows only
    vae2d.py           the video VAE of one frame is a 2-D VAE
    fixed_batch.py     batches of one fixed size: an edit has the same bits alone and among others
    graphs.py          the kernels of a step are recorded and replayed as one CUDA graph

transformer.py puts the three of the transformer together, over the stock modules and their adapters.
"""

from __future__ import annotations

from dataclasses import dataclass

from pxs.quantities import Whole

FIXED_BATCH = Whole("fixed_batch", 0, 1024, "where 0 is any size")


@dataclass(frozen=True)
class Savings:
    """Which savings an editor makes; each is exact, each can be left out, and without any the stock modules run.

    prefix: the shared start of all prompts is encoded once; modulation: a table instead of a third of the weights;
    contiguous: two slices for zero_cond_t; last_block: target rows only; vae2d: 2-D convolutions.
    fixed_batch: run batches of exactly this many edits, the last one padded, and decode each alone; 0 runs as many as
    asked. It costs time, and is for those to whom the last bit matters: a picture then has the same bits alone and
    among others, on one machine, with one number of threads and without `reuse`. Without it, as between numbers of
    threads and machines, sums round differently: in float32 a few pixels of a picture differ by one level of 255.
    graphs: CUDA graphs, which pay for small pictures on a fast GPU; off, since no GPU has confirmed them yet.

    Raises ScaleError for a `fixed_batch` that is not a FIXED_BATCH.
    """

    prefix: bool = True
    modulation: bool = True
    contiguous: bool = True
    last_block: bool = True
    vae2d: bool = True
    fixed_batch: int = 0
    graphs: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "fixed_batch", FIXED_BATCH(self.fixed_batch))


DEFAULT = Savings()
PLAIN = Savings(prefix=False, modulation=False, contiguous=False, last_block=False, vae2d=False)
