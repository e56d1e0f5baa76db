"""Command lines whose mistakes are one line: `Parser`, and `type`s for its arguments that keep what an error says.

parser = Parser(prog="python -m analysis.something")
parser.add_argument("--steps", type=argument(STEPS))
sys.exit(parser.run(action))
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn, TypeVar

from pxs.errors import PxsError, UsageError, without_passwords
from pxs.quantities import Quantity

Value = TypeVar("Value")
Number = TypeVar("Number", int, float)


class Parser(argparse.ArgumentParser):
    """An argument parser that raises UsageError, which is printed as one line, instead of printing its usage."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError with the message of argparse."""
        raise UsageError(f"{without_passwords(message)} (see '{self.prog} --help')")

    def run(self, action: Callable[[argparse.Namespace], object], arguments: Sequence[str] | None = None) -> int:
        """Call `action` with the parsed arguments; return the exit status: 0, or 2 after a PxsError, printed as one
        line on standard error."""
        try:
            action(self.parse_args(arguments))
        except PxsError as error:
            print(f"{self.prog}: {error}", file=sys.stderr)
            return 2
        return 0


def parsed(convert: Callable[[str], Value]) -> Callable[[str], Value]:
    """A `type` for argparse from a function that raises PxsError: its message is kept."""

    def parse(text: str) -> Value:
        try:
            return convert(text)
        except PxsError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse


def argument(kind: Quantity[Number]) -> Callable[[str], Number]:
    """A `type` for argparse: a number of this kind."""
    return parsed(kind.parse)
