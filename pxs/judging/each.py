"""Judging pictures (or texts) one by one, so that one which cannot be judged costs no other its values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from pxs.errors import JudgeError, JudgeSetupError, OutputError, PxsError, UnjudgedError, one_line

Thing = TypeVar("Thing")
Value = TypeVar("Value")


def judge_each(judge: Callable[[int, Thing], Value], images: Sequence[Thing]) -> list[Value]:
    """The value of each image; `judge` gets its number, counted from 0, and the image.

    Raises UnjudgedError, once all images have been tried, if `judge` raised a JudgeError for some of them. A
    JudgeSetupError, and every other error, ends it at once.
    """
    found: list[Value | None] = []
    reasons: dict[int, str] = {}
    for number, image in enumerate(images):
        try:
            found.append(judge(number, image))
        except JudgeSetupError:
            raise
        except JudgeError as error:
            found.append(None)
            reasons[number] = str(error)
    if reasons:
        raise UnjudgedError(found, reasons)
    return [value for value in found if value is not None]


def values_or_reasons(
    judge: Callable[[Sequence[Thing]], Sequence[Value]], images: Sequence[Thing]
) -> tuple[list[Value | None], dict[int, str]]:
    """One value an image, None where `judge` fails, and its reasons by the number of the image.

    A judge that fails on all images together is asked for each of them alone. Raises JudgeSetupError and OutputError,
    which are no fault of an image.
    """
    try:
        return list(judge(images)), {}
    except UnjudgedError as error:
        return error.found, error.reasons
    except (JudgeSetupError, OutputError):
        raise
    except Exception:  # a foreign judge can raise anything, and one image may be the reason
        return _alone(judge, images)


def _alone(
    judge: Callable[[Sequence[Thing]], Sequence[Value]], images: Sequence[Thing]
) -> tuple[list[Value | None], dict[int, str]]:
    found: list[Value | None] = []
    reasons: dict[int, str] = {}
    for number, image in enumerate(images):
        try:
            found.append(judge([image])[0])
        except (JudgeSetupError, OutputError):
            raise
        except Exception as error:
            kind = "" if isinstance(error, PxsError) else f"{type(error).__name__}: "
            reasons[number] = f"picture {number}: {kind}{one_line(error).removeprefix('picture 0: ')}"
            found.append(None)
    return found, reasons
