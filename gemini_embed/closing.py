"""`with` and `async with` for what has connections to close."""

from __future__ import annotations

from typing import Self


class Closing:
    """What can be closed, and is at the end of a `with` block."""

    def close(self) -> None:
        """Close the connections."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Close the connections; the async twin of `close`."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
