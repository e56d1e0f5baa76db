"""The errors of the package.

Every mistake of a user raises one of these classes. The message is one line: what is wrong, the value, and what to do.
Any other error that escapes is a bug of the package.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

LONGEST = 1500  # characters of a message
ALIKE = {"CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC"}  # scripts with letters that look like Latin ones


class PxsError(ValueError):
    """Base of all errors of the package; the command turns it into one line and exit status 2.

    Whatever the message quotes, it is one line, and what is longer than LONGEST loses its middle.
    """

    def __init__(self, message: str) -> None:
        line = " ".join(part.strip() for part in message.splitlines())
        half = LONGEST // 2
        super().__init__(line if len(line) <= LONGEST else f"{line[:half]} ... {line[-half:]}")


class UsageError(PxsError):
    """Raised when a command line lacks a flag, names an unknown one or gives it an impossible value."""


class PathError(PxsError):
    """Raised when a path cannot be used: too long, not to be looked at, or leading out of its folder."""


class ImageError(PxsError):
    """Raised when an input picture or an array of pixels cannot be used."""


class ExpressionError(PxsError):
    """Raised when an expression is unknown or its description cannot be used."""


class ScaleError(PxsError):
    """Raised when a number, such as an intensity, a seed or a size, or a list of them cannot be used."""


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


class ServiceError(PxsError):
    """Raised when a remote editor gives no picture: it refuses, a filter withholds it, or nothing can be used."""


class ServiceSetupError(ServiceError):
    """Raised when a remote editor can give no picture at all: a key that is refused, a service that fails or hangs."""


class DataError(PxsError):
    """Raised when a data set, a benchmark or one of their rows cannot be used."""


class TrainingError(PxsError):
    """Raised when a training cannot start, continue or resume."""


class OutputError(PxsError):
    """Raised when a result cannot be written to the place that was asked for."""


def one_line(error: BaseException) -> str:
    """The text of any error on one line of about 200 characters, all printable, to quote in a message."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    line = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in " ".join(text.split())[:200])
    return line or type(error).__name__


def shown(value: object, most: int = 80) -> str:
    """A value for a message: its repr on one line, of at most about `most` characters.

    A text that looks like another one, because of its Unicode form or its letters, is escaped, so that one sees it.
    """
    try:
        text = repr(value) if _looks_as_it_is(str(value)) else ascii(value)
    except ValueError:  # an integer of thousands of digits
        return f"of type {type(value).__name__}"
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 16]}...{text[-12:]}"


def _looks_as_it_is(text: str) -> bool:
    scripts = {unicodedata.name(letter, "?").split()[0] for letter in text if letter.isalpha()}
    return unicodedata.normalize("NFKC", text) == text and not ("LATIN" in scripts and scripts & ALIKE)


def without_passwords(text: str) -> str:
    """The text with asterisks in place of name and password in web addresses (http://name:password@host)."""
    return re.sub(r"//[^/\s]*@", "//***@", text)
