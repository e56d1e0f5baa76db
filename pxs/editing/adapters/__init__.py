"""LoRA adapters: found, read in the layout of any public tool, checked against the model, and added to its weights.

    W' = W + sum_i weight_i * scaling_i * B_i A_i,    scaling = alpha / rank

    choice.py     which files a choice means
    layouts.py    what the keys of a file mean: a table of prefixes and endings
    notes.py      alpha and rank, as the file or adapter_config.json states them
    patterns.py   alpha_pattern and rank_pattern
    reading.py    from tensors and notes to {layer: Factors}; all checks are here
    adding.py     the sum above, in float32, rounded once to the dtype of the model
    stock.py      what stock diffusers makes of the same file

The intensity of an edit does not depend on an adapter. Once added, an adapter costs no time.
"""

from pxs.editing.adapters.adding import Adapter, add_factors, load_adapters
from pxs.editing.adapters.choice import DEFAULT_ADAPTER, Choice, find_adapter, find_adapters
from pxs.editing.adapters.notes import adapter_notes
from pxs.editing.adapters.reading import Factors, Reading, facts, read_adapter, read_factors

__all__ = [
    "DEFAULT_ADAPTER",
    "Adapter",
    "Choice",
    "Factors",
    "Reading",
    "adapter_notes",
    "add_factors",
    "facts",
    "find_adapter",
    "find_adapters",
    "load_adapters",
    "read_adapter",
    "read_factors",
]
