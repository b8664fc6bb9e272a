"""Somebody who may use Vertex AI, and what was sent there."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.oauth2.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

TOKEN = "a-token-of-somebody"  # noqa: S105 - the stand-in takes any


def credentials() -> Credentials:
    return Credentials(token=TOKEN)  # type: ignore[no-untyped-call] # google-auth is untyped here


def texts_of(body: Any) -> list[str]:
    """Return the texts of a request, by whichever route it came."""
    if "instances" in body:
        return [instance["content"] for instance in body["instances"]]
    requests = body.get("requests", [body])
    return [request["content"]["parts"][0]["text"] for request in requests]


class Tokens(BaseHTTPRequestHandler):
    """Where a service account gets its tokens."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: Any, **__: Any) -> None:
        """Say nothing."""


@contextmanager
def account_in(folder: Path) -> Generator[Path]:
    """Yield the file of a service account whose tokens come from loopback."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with HTTPServer(("127.0.0.1", 0), Tokens) as tokens:
        threading.Thread(target=tokens.serve_forever, daemon=True).start()
        path = folder / "account.json"
        path.write_text(
            json.dumps(
                {
                    "type": "service_account",
                    "project_id": "p",
                    "private_key_id": "1",
                    "private_key": key.private_bytes(
                        serialization.Encoding.PEM,
                        serialization.PrivateFormat.PKCS8,
                        serialization.NoEncryption(),
                    ).decode(),
                    "client_email": "somebody@p.iam.gserviceaccount.com",
                    "client_id": "1",
                    "token_uri": f"http://127.0.0.1:{tokens.server_port}/token",
                }
            )
        )
        yield path
        tokens.shutdown()
