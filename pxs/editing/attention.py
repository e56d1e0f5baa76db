"""Which kernel computes attention: one of those that diffusers dispatches to.

"native" is PyTorch's own, which picks a fused kernel by itself, since it gets no mask. Others must be installed:
"flash" (flash-attn), "sage" (sageattention, 8 bits: approximate), "xformers", and PyTorch's by name, such as
"_native_cudnn". Those whose code would be fetched from the hub are refused: nothing is downloaded unasked.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from pxs.errors import ModelError, one_line

if TYPE_CHECKING:
    from diffusers import QwenImageTransformer2DModel

NATIVE = "native"


def set_attention(transformer: QwenImageTransformer2DModel, name: str) -> None:
    """Have a transformer use this kernel. Raises ModelError for one that is unknown, not installed, or remote."""
    from diffusers.models.attention_dispatch import AttentionBackendName, _AttentionBackendRegistry

    local = [kernel.value for kernel in AttentionBackendName if "hub" not in kernel.value]
    if name not in local:
        raise ModelError(f"unknown attention {name!r}: choose from {', '.join(local)}")
    if name == NATIVE:
        return
    everywhere = _AttentionBackendRegistry._active_backend
    log = logging.getLogger("diffusers.models.modeling_utils")
    level = log.level
    log.setLevel(logging.ERROR)  # it says that this is an experiment
    try:
        transformer.set_attention_backend(name)
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"attention {name!r} cannot be used ({one_line(error)}): install it, or take native") from None
    finally:
        _AttentionBackendRegistry.set_active_backend(everywhere)  # other models keep theirs
        log.setLevel(level)
