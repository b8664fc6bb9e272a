"""mteb itself, with our class, on tasks that need no download: `make test-mteb`."""

from __future__ import annotations

import importlib
import os
from decimal import Decimal
from typing import TYPE_CHECKING, Any, get_args

import pytest
from benchmarks.test_mteb import PROMPTS
from helpers import joined, sent_texts
from stores.corpus import ANSWERS, TEXTS

from benchmarks.mteb.__main__ import described, main, parser, run
from benchmarks.mteb.encoders import BudgetError, Payer
from gemini_embed import GeminiEmbedder
from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterator
    from pathlib import Path

if os.environ.get("GEMINI_EMBED_MTEB") != "1":  # as `make test-mteb` sets it
    pytest.importorskip("mteb", reason="mteb is not installed: `make test-mteb` brings it")
mteb: Any = importlib.import_module("mteb")
mocks: Any = importlib.import_module("mteb.mocks.mock_tasks")
datasets: Any = importlib.import_module("datasets")

pytestmark = pytest.mark.filterwarnings("ignore")  # those of mteb and what it brings


class Questions(mocks.MockRetrievalTask):  # type: ignore[misc]
    """Ten texts, six questions: a task of retrieval with clear answers."""

    metadata = mocks.MockRetrievalTask.metadata.model_copy(
        update={"name": "Questions", "eval_splits": ["test"]}
    )

    def load_data(self, **_options: Any) -> None:
        split = {
            "queries": [{"id": f"q{i}", "text": text} for i, text in enumerate(ANSWERS)],
            "corpus": [{"id": f"d{i}", "text": text} for i, text in enumerate(TEXTS)],
        }
        answers = {f"q{i}": {f"d{TEXTS.index(text)}": 1} for i, text in enumerate(ANSWERS.values())}
        self.dataset = {
            "default": {
                "test": {
                    **{name: datasets.Dataset.from_list(rows) for name, rows in split.items()},
                    "relevant_docs": answers,
                    "top_ranked": None,
                }
            }
        }
        self.data_loaded = True


@pytest.fixture(scope="module")
def meaning() -> Iterator[Standin]:
    with Standin(model="minilm") as standin:
        yield standin


@pytest.fixture
def asked(
    tmp_path: Path, meaning: Standin, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Namespace]:
    """Return what reads options of the program, whose service is the stand-in."""
    monkeypatch.setenv("GEMINI_API_KEY", "a-key")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", meaning.url)
    meaning.log.clear()

    def read(*options: str) -> Namespace:
        return parser().parse_args(["a task", "--results", str(tmp_path), *options])

    return read


@pytest.mark.parametrize("model", ["gemini-embedding-001", "gemini-embedding-2"])
def test_a_task_is_scored(
    model: str,
    asked: Callable[..., Namespace],
    meaning: Standin,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The right texts come first, each text is sent once, and the score stands in mteb's file.

    The same command a second time sends nothing; another dimension neither.
    """
    options = ["--model", model, "--dimension", "384"]

    run([Questions()], asked(*options))
    shown = capsys.readouterr().out
    sent = joined(sent_texts(meaning))
    run([Questions()], asked(*options))
    run([Questions()], asked("--model", model, "--dimension", "256"))

    assert "16" in shown.split("Questions")[1].split()[0]  # texts to send
    assert shown.rstrip().endswith("a large git repository.")
    assert len(sent) == len(set(sent)) == 16
    assert len(joined(sent_texts(meaning))) == 16
    (kept,) = tmp_path.glob(f"results/google__{model}/gemini-embed-*-384/Questions.json")
    result = mteb.TaskResult.from_disk(kept)
    assert result.task_name == "Questions"
    assert result.get_score() == 1.0  # nDCG@10: chance would give about a half


def test_the_published_score_stands_beside_ours(
    asked: Callable[..., Namespace], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where mteb's repository of results is at hand, as mteb keeps it."""
    run([Questions()], asked("--dimension", "384"))
    (kept,) = tmp_path.glob("results/google__gemini-embedding-2/*/Questions.json")
    published = tmp_path / "remote" / "results" / "google__gemini-embedding-2" / "1"
    published.mkdir(parents=True)
    text = kept.read_text(encoding="utf-8").replace('"main_score": 1.0', '"main_score": 0.75')
    (published / kept.name).write_text(text, encoding="utf-8")
    capsys.readouterr()

    run([Questions()], asked("--dimension", "384"))

    assert capsys.readouterr().out.splitlines()[-1].split() == ["Questions", "1.0000", "0.7500"]


def test_a_budget_that_is_too_small_sends_nothing(
    asked: Callable[..., Namespace], meaning: Standin, capsys: pytest.CaptureFixture[str]
) -> None:
    """The forecast is shown, and that is all."""
    with pytest.raises(BudgetError, match="more than the budget"):
        run([Questions()], asked("--budget", "0.00001"))

    assert meaning.log == []
    assert "Questions" in capsys.readouterr().out


def test_an_unknown_task_is_told(
    asked: Callable[..., Namespace], capsys: pytest.CaptureFixture[str]
) -> None:
    """By mteb, which names those that are alike."""
    asked()

    assert main(["NFCorpuss"]) == 2
    assert "NFCorpus" in capsys.readouterr().out


KINDS = {
    "MockBitextMiningTask": {"task: sentence similarity | query: "},
    "MockClassificationTask": {"task: classification | query: "},
    "MockMultilingualClusteringFastTask": {"task: clustering | query: "},
    "MockInstructionRetrieval": {"", "title: "},
    "MockInstructionReranking": {"", "title: "},
    "MockMultilabelClassification": {"task: classification | query: "},
    "MockPairClassificationTask": {"task: classification | query: "},
    "MockRerankingTask": {"", "title: "},
    "MockRetrievalTask": {"task: search result | query: ", "title: "},
    "MockSTSTask": {"task: sentence similarity | query: "},
    "MockSummarizationTask": {"task: sentence similarity | query: "},
}


@pytest.mark.parametrize("name", [*KINDS])
def test_every_type_of_task_of_texts_runs(
    name: str, asked: Callable[..., Namespace], meaning: Standin
) -> None:
    """With the prefix that it calls for."""
    run([getattr(mocks, name)()], asked("--dimension", "384"))

    assert {prefix_of(text) for text in joined(sent_texts(meaning))} == KINDS[name]


def prefix_of(text: str) -> str:
    """Return what stands before a text of the mocks, without a document's title."""
    if text.startswith("title: "):
        return "title: "
    return text[: text.find("query: ") + len("query: ")] if "query: " in text else ""


@pytest.mark.parametrize("model", [*PROMPTS])
def test_the_encoder_is_one_of_mteb(model: str) -> None:
    """It satisfies mteb's protocol, and the tests without mteb know its table of task types."""
    protocols = importlib.import_module("mteb.models.models_protocols")
    published = mteb.get_model_meta(f"google/{model}")
    theirs = published.loader_kwargs["model_prompts"]
    kinds = get_args(importlib.import_module("mteb.abstasks.task_metadata").TaskType)

    encoder = Payer(
        GeminiEmbedder(model=model), described(published, 768), theirs, budget=Decimal(1)
    )

    assert isinstance(encoder, protocols.EncoderProtocol)
    assert {name: theirs[name] for name in PROMPTS[model]} == PROMPTS[model]
    assert {*theirs} & {*kinds} <= {*PROMPTS[model]}
