"""Parameters of a notebook: each must be of the kind that its cell of parameters states.

A command line makes other kinds easily: `papermill -p scales 1` gives a number for a list, `-p seed 1e3` 1000.0 for
1000. The check comes first, before a model is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pxs.errors import DataError, shown

KINDS = {int: "a whole number", float: "a number", str: "a text", list: "a list", bool: "true or false"}


def check_parameters(namespace: Mapping[str, Any]) -> None:
    """Check the variables of a notebook, `globals()`, against the kinds written beside them (`steps: int = 20`).

    A whole number may stand for a number. Raises DataError, which says what to write on the command line of papermill.
    """
    for name, kind in namespace.get("__annotations__", {}).items():
        if kind in KINDS and name in namespace and not _is(namespace[name], kind):
            raise DataError(f"parameter {name} {shown(namespace[name])} is not {KINDS[kind]}: {_advice(name, kind)}")


def parameters(namespace: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a notebook and their values: the variables of `globals()` that have a kind beside them."""
    return {name: namespace[name] for name in namespace.get("__annotations__", {}) if name in namespace}


def _is(value: object, kind: type) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _advice(name: str, kind: type) -> str:
    if kind is list:
        return f'for a list, give papermill -y "{name}: [...]"'
    if kind is str:
        return f"for a text of digits, give papermill -r {name} TEXT"
    return f"give papermill -p {name} {'20' if kind is int else '0.5' if kind is float else 'true'}, for example"
