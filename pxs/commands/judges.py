"""`pxs judges`: shows the cards of the judges that `--expression-judge` and `--identity-judge` name."""

from __future__ import annotations

import argparse

from pxs.commands.arguments import Commands


def add(commands: Commands) -> None:
    """Declare the command."""
    command = commands.add_parser("judges", help="show the judges: origin, licence, what each reads well")
    command.add_argument("names", nargs="*", metavar="NAME", help="whose cards (default all)")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """`pxs judges`: print the cards."""
    from pxs.errors import JudgeError
    from pxs.judging.cards import CARDS

    known = {card.name for card in CARDS}
    for name in args.names:
        if name not in known:
            raise JudgeError(f"unknown judge {name!r}: choose from {', '.join(sorted(known))}")
    print("\n\n".join(str(card) for card in CARDS if not args.names or card.name in args.names))
