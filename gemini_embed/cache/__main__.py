"""`python -m gemini_embed.cache stats|prune|clear`: look after a cache file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gemini_embed.cache import SQLiteCache, default_path
from gemini_embed.errors import ConfigurationError

_MIB = 2**20


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m gemini_embed.cache", description=__doc__)
    parser.add_argument("command", choices=["stats", "prune", "clear"])
    parser.add_argument("--path", type=Path, default=default_path(), help="default: %(default)s")
    parser.add_argument("--max-mib", type=float, help="for prune: the size to come down to")
    given = parser.parse_args(arguments)
    if given.command == "prune" and given.max_mib is None:
        parser.error("prune needs --max-mib")
    if not given.path.exists():
        print(f"{given.path}: there is no such file")
        return 1
    cache = SQLiteCache(given.path)
    try:
        if given.command == "prune":
            cache.prune(int(given.max_mib * _MIB))
        elif given.command == "clear":
            cache.clear()
        stats = cache.stats()
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        cache.close()
    used = "" if stats.oldest_use is None else f", least recently used {stats.oldest_use} days ago"
    print(f"{given.path}: {stats.vectors} vectors, {stats.bytes / _MIB:.1f} MiB{used}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
