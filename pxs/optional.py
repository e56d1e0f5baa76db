"""Packages that only some parts need: imported when they are asked for, never with pxs."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from pxs.errors import JudgeError, PxsError, one_line


def require(module: str, extra: str, error: type[PxsError] = JudgeError) -> ModuleType:
    """Import `module`, which the optional extra `extra` brings; raises `error` with the pip line if it cannot be."""
    try:
        return import_module(module)
    except ImportError as missing:
        raise error(f'{module} cannot be imported ({one_line(missing)}): pip install "pxs[{extra}]"') from None
