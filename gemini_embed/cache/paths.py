"""Where cache files are. Reads the environment; opens nothing."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from gemini_embed.errors import ConfigurationError


def default_path(name: str = "vectors.sqlite3") -> Path:
    """Return the user's own cache file, or another, in the platform's folder for caches."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or _home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = _home() / "Library" / "Caches"
    else:
        named = Path(os.environ.get("XDG_CACHE_HOME", ""))
        base = named if named.is_absolute() else _home() / ".cache"  # as the specification says
    return absolute(base) / "gemini-embed" / name


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError as error:
        raise ConfigurationError(
            "there is no home folder for the cache of the user; name a file: cache=PATH"
        ) from error


def absolute(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path: the current folder may change later.

    Raises:
        ConfigurationError: It is no path.
    """
    try:
        if "\0" not in (absolute := str(Path(path).absolute())):
            return Path(absolute)
    except (TypeError, OSError) as error:  # OSError: the current folder is gone
        raise ConfigurationError(f"cache={path!r} is no path: {error}") from error
    raise ConfigurationError(f"cache={path!r} is no path: it has a zero byte in it")
