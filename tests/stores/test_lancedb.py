"""LanceDB's tables, filled and searched through the embedding function."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from helpers import joined, sent_texts, vectors_of
from pages import DOCS, blocks, run
from pydantic import create_model
from stores.gate import needed

from gemini_embed import ConfigurationError, InvalidInputError, Quota

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gemini_embed.standin import Standin

    Create = Callable[..., Any]

TEXTS = [f"text number {number}" for number in range(150)]
KEY = "AIza-a-key-that-nobody-may-see"


@pytest.fixture
def create(server: Standin, monkeypatch: pytest.MonkeyPatch) -> Create:
    """Return what makes a function that talks to the stand-in."""
    needed("lancedb")
    from gemini_embed.scale.lancedb import GeminiEmbeddingFunction  # noqa: PLC0415 - may be missing

    monkeypatch.setenv("GEMINI_API_KEY", KEY)

    def make(**options: Any) -> Any:
        given = {"base_url": server.url, "output_dimensionality": 128, **options}
        return GeminiEmbeddingFunction.create(**given)

    return make


def table_of(function: Any, folder: Path) -> Any:
    """Return a new table whose column `text` the function embeds."""
    row = create_model(
        "Row",
        __base__=needed("lancedb.pydantic").LanceModel,
        text=(str | None, function.SourceField()),
        vector=(list[float], function.VectorField()),
    )
    return needed("lancedb").connect(folder / "lance").create_table("docs", schema=row)


def test_rows_are_documents_and_searches_queries(
    create: Create, server: Standin, tmp_path: Path
) -> None:
    """Each row has the vector of its own text, and a question leaves as a question."""
    table = table_of(create(), tmp_path)

    table.add([{"text": text} for text in TEXTS])
    rows = table.to_arrow().to_pylist()
    found = table.search("a question").limit(1).to_list()

    sent = [f"title: none | text: {text}" for text in TEXTS]
    assert [row["text"] for row in rows] == TEXTS
    right = vectors_of(server, sent, model="gemini-embedding-2", dimension=128)
    assert [row["vector"] for row in rows] == right.tolist()
    assert joined(sent_texts(server)) == [*sent, "task: search result | query: a question"]
    assert found[0]["text"] in TEXTS


def test_a_model_with_a_field_gets_both_task_types(
    create: Create, server: Standin, tmp_path: Path
) -> None:
    """gemini-embedding-001 is told the task beside the text, for rows and for searches."""
    table = table_of(create(model="gemini-embedding-001"), tmp_path)

    table.add([{"text": "a text"}])
    table.search("a question").limit(1).to_list()

    requests = joined(one.body["requests"] for one in server.log if one.body is not None)
    assert [one["taskType"] for one in requests] == ["RETRIEVAL_DOCUMENT", "RETRIEVAL_QUERY"]
    assert joined(sent_texts(server)) == ["a text", "a question"]


def test_vectors_are_as_long_as_the_model_makes_them(create: Create, tmp_path: Path) -> None:
    """The column fits where no dimension is told, and the table remembers which it was."""
    table = table_of(
        create(output_dimensionality=None, model="models/gemini-embedding-001"), tmp_path
    )

    assert table.schema.field("vector").type.list_size == 3072
    (config,) = json.loads(table.schema.metadata[b"embedding_functions"])
    assert config["name"] == "gemini-embed"


def test_whatever_a_later_default_is_the_table_keeps_its_model(create: Create) -> None:
    """A table that was made with the defaults of today is not searched with others."""
    from gemini_embed.scale.lancedb import GeminiEmbeddingFunction  # noqa: PLC0415 - may be missing

    written = GeminiEmbeddingFunction.create().safe_model_dump()

    assert written == {"model": "gemini-embedding-2", "output_dimensionality": 3072}
    assert create().safe_model_dump()["output_dimensionality"] == 128


def test_no_key_is_in_the_table(create: Create, server: Standin, tmp_path: Path) -> None:
    """What LanceDB writes holds the name of a secret; the value is each process's own."""
    needed("lancedb.embeddings").get_registry().set_var("key", f"{KEY}-2")
    table = table_of(create(api_key="$var:key"), tmp_path)

    table.add([{"text": "a text"}])

    assert server.log[-1].headers["x-goog-api-key"] == f"{KEY}-2"
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not any(KEY.encode() in held for held in files)


@pytest.mark.parametrize(
    "option",
    [
        {"api_key": KEY},
        {"api_key": f"$var:key:{KEY}"},
        {"additional_headers": {"authorization": KEY}},
        {"client_args": {"proxy": f"http://user:{KEY}@localhost"}},
        {"base_url": f"http://user:{KEY}@localhost"},
        {"quota": Quota(requests=1)},
    ],
    ids=str,
)
def test_what_must_not_be_written_is_refused(create: Create, option: dict[str, Any]) -> None:
    """No secret gets into a table by mistake, and the error says what to do, without it."""
    with pytest.raises(ConfigurationError, match=r"set_var\(NAME, value\)") as caught:
        create(**option)

    assert KEY not in str(caught.value)


def test_a_process_that_opens_the_table_searches_as_it_was_filled(
    create: Create, server: Standin, tmp_path: Path
) -> None:
    """The options come out of the table; only the module must be imported."""
    table_of(create(), tmp_path).add([{"text": text} for text in TEXTS])
    program = (
        "import lancedb\nimport gemini_embed.scale.lancedb\n"
        "table = lancedb.connect('lance').open_table('docs')\n"
        "table.add([{'text': 'more'}])\n"
        "print(len(table.search('a question').limit(1).to_list()[0]['vector']))"
    )

    done = run(program, tmp_path, url=server.url)

    assert (done.stdout, done.stderr) == ("128\n", "")
    last = joined(sent_texts(server))[-2:]
    assert last == ["title: none | text: more", "task: search result | query: a question"]


def test_equal_options_share_an_embedder(create: Create, tmp_path: Path) -> None:
    """LanceDB makes the function again at each step; connections, quota and counts stay."""
    function = create()
    table = table_of(function, tmp_path)

    table.add([{"text": "a text"}])
    table.search("a question").limit(1).to_list()

    assert function.embedder.usage.texts == 2
    assert (create() == function, hash(create()) == hash(function)) == (True, True)
    assert create(task_type="CLUSTERING") != function


@pytest.mark.parametrize("text", [None, " "])
def test_a_row_without_a_text_is_an_error(create: Create, tmp_path: Path, text: str | None) -> None:
    """It says which, at once, and nothing is added."""
    table = table_of(create(), tmp_path)

    with pytest.raises(RuntimeError, match=r"(item|text) 1 is"):
        table.add([{"text": "a text"}, {"text": text}])
    assert table.count_rows() == 0


def test_the_error_of_a_search_is_ours(create: Create, tmp_path: Path) -> None:
    """LanceDB does not try it seven times more, and does not hide it."""
    table = table_of(create(), tmp_path)

    with pytest.raises(InvalidInputError):
        table.search(" ")


def test_the_page_shows_what_works(server: Standin, tmp_path: Path) -> None:
    """A reader who pastes the programs gets to their end."""
    needed("lancedb")
    programs = blocks((DOCS / "engines.md").read_text(encoding="utf-8"), "needs: lancedb")

    done = run(
        "\n".join(programs), tmp_path, url=server.url, python=(sys.executable, "-W", "error")
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1] == "3072"
