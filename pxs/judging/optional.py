"""Packages that only some judges need: imported when a judge is made or asked, never with pxs."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from pxs.errors import JudgeError, one_line


def require(module: str, extra: str) -> ModuleType:
    """Import `module`, which the optional extra `extra` brings; raises JudgeError with the pip line if it cannot be."""
    try:
        return import_module(module)
    except ImportError as error:
        raise JudgeError(f'{module} cannot be imported ({one_line(error)}): pip install "pxs[{extra}]"') from None
