"""`with` and `async with` for what has connections to close."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self


class Closing(ABC):
    """What can be closed, and is at the end of a `with` block."""

    @abstractmethod
    def close(self) -> None:
        """Close the connections."""

    @abstractmethod
    async def aclose(self) -> None:
        """Close the connections; the async twin of `close`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
