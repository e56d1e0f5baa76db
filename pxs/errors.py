"""The errors of the package.

Every mistake of a user raises one of these classes. The message is one line: what is wrong, the value, and what to do.
Any other error that escapes is a bug of the package.
"""

import sys
from collections.abc import Callable


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
    """The text of any error on one line of about 200 characters, all printable, to quote in a message."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    line = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in " ".join(text.split())[:200])
    return line or type(error).__name__
