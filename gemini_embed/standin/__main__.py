"""`python -m gemini_embed.standin`: run the stand-in until it is interrupted."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from typing import TYPE_CHECKING, TypeVar

from gemini_embed.standin.batch_faults import JOB_FAULTS
from gemini_embed.standin.faults import KINDS
from gemini_embed.standin.server import LOCAL_MODELS, LocalModel, Standin

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

T = TypeVar("T", bound=str)

_EPILOG = (
    f"KIND is one of: {', '.join(KINDS)}; of a job: {', '.join(JOB_FAULTS)}. SHARE is from 0 to 1."
)


_SEEN: dict[LocalModel, str] = {
    "hash": "They mean nothing: each comes from a hash.",
    "minilm": "Nothing here sees or hears: of a PDF its text is read, of a PNG the description in "
    "the file; other media have meaningless vectors.",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stand-in; return the exit status."""
    parser = _parser()
    options = parser.parse_args(argv)
    try:
        standin = Standin(
            options.model,
            latency=options.latency,
            requests=options.requests,
            tokens=options.tokens,
            window=options.window,
            requests_per_day=options.requests_per_day,
            faults=dict(options.fault),
            seed=options.seed,
            silent_quota=options.silent_quota,
            vertex_001_instances=options.vertex_001_instances,
            batch_seconds=options.batch_seconds,
            batch_faults=dict(options.batch_fault),
            batch_lag=options.batch_lag,
            batch_tokens=options.batch_tokens,
            port=options.port,
            keep_log=False,
        )
    except ImportError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except ValueError as error:
        parser.error(str(error))
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        _serve(standin, options.model)
    except KeyboardInterrupt:
        pass
    except (OSError, OverflowError) as error:
        sys.stderr.write(f"cannot listen on port {options.port}: {error}\n")
        return 1
    return 0


def _serve(standin: Standin, model: LocalModel) -> None:
    """Say where it is, and answer until somebody interrupts."""
    with standin as server:
        sys.stdout.write(
            "Stand-in for Google's embedding API, the Gemini API's and Vertex AI's "
            f"({model}): {server.url}\n"
            "These are NOT Google's vectors: do not keep them in an index you mean to use.\n"
            f"{_SEEN[model]}\n"
        )
        sys.stdout.flush()
        threading.Event().wait()


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _share(kinds: Sequence[T]) -> Callable[[str], tuple[T, float]]:
    """Return a reader of `KIND=SHARE`."""

    def read(value: str) -> tuple[T, float]:
        name, equals, share = value.partition("=")
        known = [kind for kind in kinds if kind == name]
        if not known or not equals:
            raise argparse.ArgumentTypeError(f"{value!r} is not KIND=SHARE; {_EPILOG}")
        try:
            return known[0], float(share)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{share!r} is not a number") from None

    return read


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gemini_embed.standin",
        description="A local service that speaks Google's embedding API, the Gemini API's and "
        "Vertex AI's, at one address. Its vectors are NOT Google's.",
        epilog=_EPILOG,
    )
    add = parser.add_argument
    add("--port", type=int, default=0, help="to listen on; 0, the default, for any free one")
    add(
        "--model",
        choices=LOCAL_MODELS,
        default="minilm",
        help="minilm: vectors with meaning, of a small local model; hash: meaningless, at once",
    )
    seconds, number = "SECONDS", "N"
    add("--latency", type=float, default=0.0, metavar=seconds, help="from a request to its answer")
    add("--requests", type=int, metavar=number, help="texts of a model per window")
    add("--tokens", type=int, metavar=number, help="tokens of a model per window")
    add("--window", type=float, default=60.0, metavar=seconds, help="length of the sliding window")
    add(
        "--requests-per-day",
        type=int,
        metavar=number,
        help="texts of a model per day",
    )
    add(
        "--fault",
        type=_share(KINDS),
        action="append",
        default=[],
        metavar="KIND=SHARE",
        help="what goes wrong, and how often; may be repeated",
    )
    add("--seed", type=int, default=0, metavar=number, help="of the faults")
    add("--silent-quota", action="store_true", help="a 429 gives the delay and no more")
    add(
        "--vertex-001-instances",
        type=int,
        default=250,
        metavar=number,
        help="texts that gemini-embedding-001 takes in one predict on Vertex AI",
    )
    add("--batch-seconds", type=float, default=0.0, metavar=seconds, help="that a batch job takes")
    add(
        "--batch-fault",
        type=_share(JOB_FAULTS),
        action="append",
        default=[],
        metavar="KIND=SHARE",
        help="what goes wrong with batch jobs, and how often; may be repeated",
    )
    add(
        "--batch-lag",
        type=float,
        default=60.0,
        metavar=seconds,
        help="by which the list of jobs lags, and a late creation comes late, where that is the "
        "fault",
    )
    add("--batch-tokens", type=int, metavar=number, help="tokens of all batch jobs under way")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
