"""`python -m gemini_embed`: what a corpus would take, what it needs, and whether it all works."""

from __future__ import annotations

import argparse
import sys
import warnings
from typing import TYPE_CHECKING, NoReturn

from gemini_embed.command import batch, dimensions, doctor, estimate
from gemini_embed.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")  # a console may have few letters
    given = _parser().parse_args(arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda message, *_, **__: print(
            f"warning: {message}", file=sys.stderr
        )
        code: int = given.run(given)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m gemini_embed",
        description="Google's Gemini Embedding models, from the command line.",
        epilog="See also: python -m gemini_embed.cache, python -m gemini_embed.standin",
    )
    parser.add_argument("--version", action="version", version=f"gemini-embed {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (estimate, dimensions, batch, doctor):
        command.add_to(commands)
    return parser


class _Parser(argparse.ArgumentParser):
    """Ends with 1 where it is called in a wrong way: 2 says that something works."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(1, f"{self.prog}: error: {message}\n")


if __name__ == "__main__":
    sys.exit(main())
