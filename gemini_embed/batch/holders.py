"""Who holds a lease: a process of some machine, and whether it is still there."""

from __future__ import annotations

import os
import platform
import sys
from functools import cache
from pathlib import Path


def me() -> str:
    """Return a name for this process that no other has, not even a later one of its number."""
    return f"{platform.node()}/{os.getpid()}/{_started(os.getpid())}"


def is_gone(holder: str) -> bool:
    """Tell whether a holder is a process of this machine that has ended."""
    try:
        host, pid, started = holder.partition(" ")[0].rsplit("/", 2)
        number = int(pid)
    except ValueError:
        return not holder
    if host != platform.node() or sys.platform == "win32":  # where signal 0 is Ctrl-C
        return False
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return True
    except OSError:  # it is another user's
        return False
    return _started(number) != started


@cache
def _has_proc() -> bool:
    return Path("/proc/self/stat").exists()


def _started(pid: int) -> str:
    """Return when a process began, in the system's words; empty where it does not say."""
    if not _has_proc():
        return ""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    state, *rest = stat.rpartition(")")[2].split()
    return "" if state == "Z" else rest[18]  # nobody has yet heard that it ended
