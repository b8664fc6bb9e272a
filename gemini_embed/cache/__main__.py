"""`python -m gemini_embed.cache stats|prune|clear`: look after a cache file."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from pathlib import Path

from gemini_embed.cache import SQLiteCache
from gemini_embed.errors import ConfigurationError

_MIB = 2**20


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m gemini_embed.cache", description=__doc__)
    parser.add_argument("command", choices=["stats", "prune", "clear"])
    parser.add_argument("--path", type=Path, help="default: the user's file, of cache=True")
    parser.add_argument("--max-mib", type=float, help="for prune: the size to come down to")
    given = parser.parse_args(arguments)
    if given.command == "prune" and given.max_mib is None:
        parser.error("prune needs --max-mib")
    try:
        cache = SQLiteCache(given.path)
        if not cache.path.exists():
            print(f"{cache.path}: there is no such file", file=sys.stderr)
            return 1
        with closing(cache):
            if given.command == "prune":
                cache.prune(int(given.max_mib * _MIB))
            elif given.command == "clear":
                cache.clear()
            stats = cache.stats()
    except (ConfigurationError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    used = "" if stats.oldest_use is None else f", least recently used {stats.oldest_use} days ago"
    print(f"{cache.path}: {stats.vectors} vectors, {stats.bytes / _MIB:.1f} MiB{used}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
