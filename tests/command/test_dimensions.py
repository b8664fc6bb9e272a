"""`python -m gemini_embed dimensions` says which dimension a corpus needs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from helpers import joined, sent_texts

from gemini_embed.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path

    from gemini_embed.standin import Standin


@pytest.fixture(autouse=True)
def service(server: Standin, monkeypatch: pytest.MonkeyPatch) -> Standin:
    monkeypatch.setenv("GEMINI_API_KEY", "a-key")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url)
    return server


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.jsonl"
    lines = (f'{{"_id": "d{i}", "text": "text {i}"}}\n' for i in range(120))
    path.write_text("".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def labelled(corpus: Path) -> list[str]:
    """Return a command with three queries, of which two have labels."""
    queries, qrels = corpus.with_name("queries.jsonl"), corpus.with_name("qrels.tsv")
    lines = (f'{{"_id": "q{i}", "text": "query {i}"}}\n' for i in range(3))
    queries.write_text("".join(lines), encoding="utf-8")
    labels = [f"q{i}\td{j}\t1\n" for i in (0, 2) for j in range(0, 120, 2)]
    qrels.write_text("query-id\tcorpus-id\tscore\n" + "".join(labels), encoding="utf-8")
    return [str(corpus), "--queries", str(queries), "--qrels", str(qrels), "--dims", "256"]


def test_a_reader_gets_the_table_and_the_advice(
    corpus: Path, server: Standin, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every text is sent once, at full dimension; what it cost stands below the advice."""
    assert main(["dimensions", str(corpus), "--dims", "128", "1536"]) == 0

    printed = capsys.readouterr().out
    assert printed.count("\n3072 ") == 7
    assert printed.count("\n1536 ") == printed.count("\n128 ") == 8
    assert "\nTake " in printed
    assert "Weak evidence: documents stood for queries" in printed
    assert "This run sent 120 texts" in printed
    assert "10 documents that a query finds (--k 10)" in printed
    assert len(joined(sent_texts(server))) == 120
    assert all("outputDimensionality" not in json.dumps(one.body) for one in server.log)


def test_what_the_cache_has_is_not_sent(
    corpus: Path, server: Standin, capsys: pytest.CaptureFixture[str]
) -> None:
    """Asked again with other dimensions, nothing is paid for."""
    command = ["dimensions", str(corpus), "--cache", str(corpus.with_name("cache.sqlite3"))]
    assert main([*command, "--dims", "256"]) == 0
    sent = len(server.log)

    assert main([*command, "--dims", "512", "--k", "5"]) == 0
    assert len(server.log) == sent
    assert "This run sent 0 texts, which Google's list prices at $0.00" in capsys.readouterr().out


def test_with_labels_the_tasks_are_compared(
    labelled: list[str], server: Standin, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only queries that have labels are embedded, once for each task."""
    assert main(["dimensions", *labelled, "--json"]) == 0

    said = json.loads(capsys.readouterr().out)
    assert [row["task"] for row in said["tasks"]["rows"]] == [
        "RETRIEVAL_QUERY",
        "QUESTION_ANSWERING",
        "FACT_VERIFICATION",
        "CODE_RETRIEVAL_QUERY",
    ]
    assert said["queries"] == 2
    assert said["sent"] == 120 + 2 * 4
    assert "task: fact checking | query: query 2" in joined(sent_texts(server))
    assert said["rows"][0]["ndcg"] is not None
    assert float(said["rows"][0]["cost_per_million"]) > 0
    assert said["line"].startswith(f"Take {said['recommended']['dimension']} dimensions as")


def test_the_task_of_the_index_comes_first(
    labelled: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The others are compared with what the index is for."""
    assert main(["dimensions", *labelled, "--task-type", "fact_verification"]) == 0
    assert "Stay with FACT_VERIFICATION" in capsys.readouterr().out


def test_where_documents_differ_by_task_none_are_compared(
    labelled: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """An index for similarity embeds documents in another form, and other tasks do not fit it."""
    assert main(["dimensions", *labelled, "--task-type", "SEMANTIC_SIMILARITY", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tasks"] is None


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ("q0 d0\n", ":1: a query, a document and a grade are needed"),
        ("q0 d0 1\nq0 d1 good\n", ":2: the grade is no number but 'good'"),
        ("q0 0 d0 1\nq7 0 d1 1\n", ":2: there is no query 'q7'"),
        ("q0\tof another\t1\n", ":1: there is no document 'of another'"),
        ("q0 d0 0\n", "no query has a document with a grade above 0"),
    ],
)
def test_a_wrong_label_is_named(  # noqa: PLR0917 - fixtures
    labelled: list[str],
    held: str,
    said: str,
    server: Standin,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The line is said, and nothing was sent."""
    (tmp_path / "qrels.tsv").write_text(held, encoding="utf-8")

    assert main(["dimensions", *labelled]) == 1
    assert said in capsys.readouterr().err
    assert server.log == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--k", "120"], "--k=120: a query can find 1 to 119 of these documents"),
        (["--target", "2"], "--target=2"),
        (["--dims", "0"], "--dims must be"),
        (["--model", "text-embedding-004"], "vectors of text-embedding-004 cannot be cut"),
        (["--qrels", "qrels.tsv"], "give --queries, too"),
        (["--queries", "none.txt"], "there is no such file"),
    ],
)
def test_what_cannot_work_is_said_in_a_line(
    corpus: Path,
    more: list[str],
    said: str,
    server: Standin,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A mistake is one line on standard error and exit code 1; nothing was sent and paid for."""
    assert main(["dimensions", str(corpus), *more]) == 1
    assert said in capsys.readouterr().err
    assert server.log == []


def test_a_text_that_cannot_be_embedded_is_named(
    corpus: Path, server: Standin, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line is that of the file, and nothing was sent."""
    corpus.write_text('"a"\n\n" "\n', encoding="utf-8")

    assert main(["dimensions", str(corpus)]) == 1
    assert capsys.readouterr().err.startswith(f"{corpus}:3: text 1 is blank")
    assert server.log == []


def test_two_texts_of_one_name_are_refused(
    labelled: list[str], corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A label would be of either."""
    corpus.write_text('{"id": "d0", "text": "a"}\n{"id": "d0", "text": "b"}\n', encoding="utf-8")

    assert main(["dimensions", *labelled]) == 1
    assert "another text has the name 'd0'" in capsys.readouterr().err
