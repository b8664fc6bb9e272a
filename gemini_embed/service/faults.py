"""Faults of a connection that no further attempt mends, known by type, not by wording. No I/O.

Refused and broken connections, host names that are not found and timeouts may pass: they are not
among these.
"""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING

from gemini_embed.errors import ConfigurationError, GeminiEmbedError, RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PASSING = (ssl.SSLEOFError, ssl.SSLSyscallError, ssl.SSLZeroReturnError)
"""Errors of TLS that mean no more than a broken connection."""

_PASSING_ALERTS = ("ALERT_INTERNAL_ERROR", "BAD_RECORD_MAC", "ALERT_USER_CANCELLED")
"""Endings of OpenSSL's names for errors that a busy server or a bad line may cause."""

_MALFORMED = frozenset({"InvalidURL", "UnsupportedProtocol"})
"""The errors of aiohttp, httpx and httpx2 for a request that cannot be sent."""

_BROKEN_OFF = frozenset(
    {
        *("ClientOSError", "ClientResponseError", "ServerDisconnectedError"),
        *("ReadError", "RemoteProtocolError", "WriteError"),
    }
)
"""Their errors for a connection that ended, or on which no HTTP came."""

_NOT_MADE = "ClientConnectorError"
"""The error of aiohttp for a connection that was never made, a subclass of one of these."""

_TLS_OBJECT = re.compile(r" ssl:(?:<[^>]*>|\w+)(?= \[)")
"""What aiohttp says of its TLS, an object in memory, within the words about a connection."""

_OF_VALUES = (ArithmeticError, LookupError, TypeError, ValueError)


def hopeless(error: Exception, description: str) -> GeminiEmbedError | None:
    """Return our error for a fault that no retry mends; None for any other.

    `error` is what an HTTP library raised; `description` says it in words, without secrets.
    """
    if "TooManyRedirects" in _names(error):
        return RequestError(f"the service redirects without end: {description}")
    if _names(error) & _MALFORMED:
        return unsendable(error, description)
    # Those of OpenSSL itself: aiohttp's own subclasses say nothing more.
    faults = [fault for fault in _chain(error) if isinstance(fault, ssl.SSLError)]
    faults = [fault for fault in faults if type(fault).__module__ == "ssl"]
    return next((meant for fault in faults if (meant := _of_tls(fault))), None)


def in_words(kind: str, error: BaseException) -> str:
    """Return what an HTTP library raised, of this class, as a reader may be told."""
    return f"{kind}: {_TLS_OBJECT.sub('', str(error))}"


def unsendable(error: Exception, description: str) -> GeminiEmbedError:
    """Return our error for what was raised before anything was sent."""
    configured = isinstance(error, _OF_VALUES) or _names(error) & _MALFORMED
    kind = ConfigurationError if configured else RequestError
    return kind(f"the request could not be sent: {description}")


def broke_off(error: Exception) -> bool:
    """Tell whether a connection was made, and then ended without an HTTP answer."""
    return bool(_names(error) & _BROKEN_OFF) and _NOT_MADE not in _names(error)


def wrong_scheme() -> GeminiEmbedError:
    """Return our error for plain http to a port that speaks TLS."""
    return RequestError(
        "the service expects TLS at this port, and its address begins with http://: let it begin "
        "with https://. The request left unencrypted, and was not understood"
    )


def _names(error: Exception) -> set[str]:
    return {cls.__name__ for cls in type(error).__mro__}


def _of_tls(fault: ssl.SSLError) -> GeminiEmbedError | None:
    if isinstance(fault, ssl.SSLCertVerificationError):
        return RequestError(
            f"the server's certificate is not trusted: {fault.verify_message}. If an authority of "
            'your own signed it, give client_args={"verify": "its-certificate.pem"} or set '
            "SSL_CERT_FILE. Nothing was sent"
        )
    reason = fault.reason or ""
    if isinstance(fault, _PASSING) or reason.endswith(_PASSING_ALERTS) or not reason:
        return None
    return RequestError(
        f"no TLS connection to the server: {reason}. If it speaks plain http, its address must "
        "begin with http://; else its version of TLS may be switched off here. Nothing was sent"
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was raised from."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__ or following.__context__
