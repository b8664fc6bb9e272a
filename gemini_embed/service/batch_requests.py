"""What batches are asked alike on both services: for a job, for all, to cancel one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gemini_embed.service.requests import Requests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gemini_embed.service.jobs import ServerJob
    from gemini_embed.service.transport import Transport

_PAGE = 100
"""Jobs of a list in one answer, at most."""


class BatchRequests:
    """The requests that both services have, through one transport's connection.

    Args:
        transport: The transport.
        timeout: Seconds for a request; None for the usual.
        path: Where jobs are listed.
        job_of: Reads a job.
        jobs_of: Reads the jobs of a page of the list.
    """

    def __init__(
        self,
        transport: Transport,
        timeout: float | None,
        *,
        path: str,
        job_of: Callable[[Any], ServerJob],
        jobs_of: Callable[[Any], Iterable[ServerJob]],
    ) -> None:
        self._transport = transport
        self._requests = Requests(transport, timeout)
        self._path, self._job_of, self._jobs_of = path, job_of, jobs_of
        self.timeout = self._requests.timeout

    async def get(self, job: str) -> ServerJob:
        """Return a job.

        Raises:
            RequestError: The service refused, or could not be reached in time.
            BadResponseError: The answer cannot be read.
        """
        found = self._job_of((await self._requests.ask("get", job)).body)
        clean = self.without_secrets
        return replace(found, error=clean(found.error), odd=clean(found.odd))

    async def list(self) -> list[ServerJob]:
        """Return all jobs of the project, on Vertex AI in this location, of all pages.

        They are not filtered by name: the Gemini API cannot, and Google writes the field of Vertex
        AI's filter in two ways; one that it does not know might find nothing.

        Raises:
            RequestError: The service refused, or could not be reached in time.
            BadResponseError: An answer cannot be read, or the list has no end.
        """
        found: list[ServerJob] = []
        async for page in self._requests.pages(self._path, pageSize=_PAGE):
            found += self._jobs_of(page)
        return found

    async def cancel(self, job: str) -> None:
        """Ask the service to cancel a job, which takes a while, and may fail.

        Raises:
            RequestError: The service refused, or could not be reached in time.
        """
        await self._requests.ask("post", f"{job}:cancel", {})

    def without_secrets(self, text: str) -> str:
        """Return what the service said, without the secrets that it may have repeated."""
        return self._transport.secrets().without(text)
