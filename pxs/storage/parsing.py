"""JSON from outside: any text is a value or one DataError."""

from __future__ import annotations

import json
from typing import Any

from pxs.errors import DataError, one_line


def parse_json(text: str, advice: str = "correct it") -> Any:
    """The value of a JSON text; raises DataError, whose one line says why it is none and ends with the advice."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = f"line {error.lineno}, " if "\n" in text else ""
        reason = f"{error.msg} at {line}column {error.colno}"
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, brackets in brackets
        reason = one_line(error)
    raise DataError(f"not JSON ({reason}): {advice}")
