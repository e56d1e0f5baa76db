"""The errors a user of the package can meet.

Every mistake a user can make ends in one of these classes, with a message of one line that says what was
wrong, shows the offending value and tells what to do. Anything else that escapes is a bug of the package.
"""

import sys
from collections.abc import Callable


class PxsError(ValueError):
    """Base of all errors of the package; the command turns it into one line and exit status 2."""


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
    """Raised when the hub cannot give what was asked for, or there is no room for it."""


class JudgeError(PxsError):
    """Raised when a judge cannot be had, fails, or answers nonsense."""


class DataError(PxsError):
    """Raised when a data set, a benchmark or one of their rows cannot be used."""


class TrainingError(PxsError):
    """Raised when a training cannot start, go on or be resumed."""


class OutputError(PxsError):
    """Raised when a result cannot be written to the place that was asked for."""


def exit_status(program: str, action: Callable[[], object]) -> int:
    """Do it: 0, or 2 after a mistake of the user's, which is printed as one line on standard error."""
    try:
        action()
    except PxsError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 2
    return 0


def one_line(error: BaseException) -> str:
    """What a foreign error says, on one line of at most 200 characters, for use in a message of ours."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split())[:200] or type(error).__name__
