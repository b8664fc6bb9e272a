"""Where a redirect may lead: to the host that was asked, and never from https to http. No I/O.

Keys, headers and texts would go wherever it leads, and its vectors would be taken for the
service's.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

from gemini_embed.errors import RequestError

REDIRECTS = frozenset({301, 302, 303, 307, 308})

KEEPING = int(HTTPStatus.PERMANENT_REDIRECT)
"""The status on which every HTTP library sends the same request again, texts included."""

BY_OPTION = "base_url"
"""What names the host that is asked, where nothing else does."""

_PORTS = {"http": 80, "https": 443}

_PLAIN_HOST = re.compile(r"([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]+)?", re.IGNORECASE)
"""Hosts that all libraries parse alike; without user name and password, on purpose."""


def check_redirect(status: int, asked: str, location: str, named_by: str = BY_OPTION) -> None:
    """Refuse a redirect to another host, or one after which another request would be sent.

    Args:
        status: Its status.
        asked: The address that was asked.
        location: Where it leads.
        named_by: What names the host that is asked.

    Raises:
        RequestError: It names both places; nothing was sent to the new one.
    """
    asked = _without_user(asked)
    target = _joined(asked, location)
    here, there = _place(asked), _place(target)
    if here is None or there is None or not _may_follow(here, there):
        problem = "is not followed: only the host that was asked gets texts and keys"
        remedy = f"; if requests belong there, give it as {named_by}"
    elif status == HTTPStatus.SEE_OTHER:
        problem, remedy = "asks for a GET, which holds no texts", ""
    else:
        return
    raise RequestError(
        f"{status}: the redirect from {_shown(asked)} to {_shown(target)} {problem}{remedy}",
        status=status,
    )


def _joined(asked: str, location: str) -> str:
    try:
        return urljoin(asked, location)
    except ValueError:
        return location


def _place(url: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port; None where libraries might read them in different ways."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS[parts.scheme]
    except (KeyError, ValueError):
        return None
    plain = "\\" not in url and _PLAIN_HOST.fullmatch(parts.netloc)
    return (parts.scheme, (parts.hostname or "").rstrip("."), port) if plain else None


def _may_follow(here: tuple[str, str, int], there: tuple[str, str, int]) -> bool:
    upgrade = (here[0], there[0]) == ("http", "https")
    return here[1] == there[1] and (upgrade or here == there)


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _shown(url: str) -> str:
    """Return the address as far as it can hold no secret."""
    try:
        parts = urlsplit(url.replace("\\", "/"))
    except ValueError:
        return "an address that cannot be read"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
