"""The errors of the package.

Every mistake of a user raises one of these classes. The message is one line: what is wrong, the value, and what to do.
Any other error that escapes is a bug of the package.
"""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any


class PxsError(ValueError):
    """Base of all errors of the package; the command turns it into one line and exit status 2."""


class UsageError(PxsError):
    """Raised when a command line lacks a flag, names an unknown one or gives it an impossible value."""


class ImageError(PxsError):
    """Raised when an input picture or an array of pixels cannot be used."""


class ExpressionError(PxsError):
    """Raised when an expression is unknown or its description cannot be used."""


class ScaleError(PxsError):
    """Raised when a strength or a range of strengths cannot be used."""


class ModelError(PxsError):
    """Raised when a diffusion model is missing, incomplete or of a kind that cannot be used."""


class AdapterError(PxsError):
    """Raised when an adapter file is missing, broken or made for another model."""


class DownloadError(PxsError):
    """Raised when a download is refused or fails, or the disk is too small for it."""


class JudgeError(PxsError):
    """Raised when a judge or an encoder is missing, fails, or gives an answer that cannot be used."""


class JudgeSetupError(JudgeError):
    """Raised when a judge can judge no picture at all: no key, a key that is refused, an endpoint that fails."""


class UnjudgedError(JudgeError):
    """Raised when a judge cannot judge some of its pictures.

    found: what the judge gives for each picture, None for those that it cannot judge. reasons: why not, by the number
    of the picture, counted from 0.
    """

    def __init__(self, found: Sequence[Any], reasons: Mapping[int, str]) -> None:
        first, more = next(iter(reasons.values())), len(reasons) - 1
        super().__init__(f"{first} (and {more} more of {len(found)} pictures)" if more else first)
        self.found, self.reasons = list(found), dict(reasons)


class DataError(PxsError):
    """Raised when a data set, a benchmark or one of their rows cannot be used."""


class TrainingError(PxsError):
    """Raised when a training cannot start, continue or resume."""


class OutputError(PxsError):
    """Raised when a result cannot be written to the place that was asked for."""


def exit_status(program: str, action: Callable[[], object]) -> int:
    """Run `action`; return the exit status: 0, or 2 after a PxsError, printed as one line on standard error."""
    try:
        action()
    except PxsError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 2
    return 0


def one_line(error: BaseException) -> str:
    """The text of any error on one line of at most 200 characters, to quote in a message."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split())[:200] or type(error).__name__


def without_passwords(text: str) -> str:
    """The text with asterisks in place of name and password in web addresses (http://name:password@host)."""
    return re.sub(r"//[^/\s]*@", "//***@", text)
