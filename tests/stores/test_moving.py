"""The guide to moving an index, run as it stands, on real stores while they are used."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.request import urlopen
from uuid import NAMESPACE_URL, uuid5

import numpy as np
import pytest
from langchain_core.documents import Document
from llama_index.core.schema import TextNode
from pages import ROOT, blocks
from stores.gate import needed

from gemini_embed import FingerprintMismatchError, RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from gemini_embed.standin import Standin

GUIDE = (ROOT / "docs" / "moving-an-index.md").read_text(encoding="utf-8")
SECTIONS = {part.split("\n")[0]: blocks(part, "stores") for part in re.split(r"\n###? ", GUIDE)}

OLD, NEW, SMALL = "passages_1", "passages_2", "passages_3"
MODELS = {OLD: "gemini-embedding-001", NEW: "gemini-embedding-2", SMALL: "gemini-embedding-2"}
DIMENSIONS = {OLD: 768, NEW: 768, SMALL: 256}
STORES = ("Chroma", "PostgreSQL")
TEXTS = [f"text number {number}" for number in range(60)]


def id_of(text: str) -> str:
    """Return an id for a text that does not change with it: of its first three words."""
    return str(uuid5(NAMESPACE_URL, " ".join(text.split()[:3])))


class LangChain:
    """What the frameworks call differently, and where PostgreSQL keeps it."""

    name = "LangChain"
    kept = "stores"
    tables = ("{}", "langchain_id", "content")

    @staticmethod
    def document(text: str) -> Document:
        return Document(text, id=id_of(text), metadata={"length": len(text)})

    @staticmethod
    def text(found: Any) -> str:
        return str(found.page_content)

    @staticmethod
    def fill(index: Any, documents: list[Any]) -> None:
        index.add_documents(documents)

    @staticmethod
    def lose(index: Any, text: str) -> None:
        index.delete([id_of(text)])

    @staticmethod
    def sent(text: str) -> str:
        return text


class LlamaIndex:
    """Likewise."""

    name = "LlamaIndex"
    kept = "indexes"
    tables = ("data_{}", "node_id", "text")

    @staticmethod
    def document(text: str) -> TextNode:
        return TextNode(text=text, id_=id_of(text), metadata={"length": len(text)})

    @staticmethod
    def text(found: Any) -> str:
        return str(found.node.get_content())

    @staticmethod
    def fill(index: Any, documents: list[Any]) -> None:
        index.insert_nodes(documents)

    @staticmethod
    def lose(index: Any, text: str) -> None:
        index.delete_nodes([id_of(text)])

    @staticmethod
    def sent(text: str) -> str:
        return f"length: {len(text)}\n\n{text}"  # LlamaIndex embeds a node's metadata, too


@pytest.fixture(scope="module")
def chroma(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Return the port of a Chroma server."""
    needed("chromadb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = [str(Path(sys.executable).with_name("chroma")), "run", "--host", "127.0.0.1"]
    folder = tmp_path_factory.mktemp("chroma")
    with subprocess.Popen(  # noqa: S603 - the program that chromadb brings
        [*command, "--port", str(port), "--path", str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        until(lambda: is_up(port))
        yield port
        server.terminate()


def is_up(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/api/v2/heartbeat"):
            return True
    except (URLError, ConnectionError):
        return False


def until(is_so: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < ends
        time.sleep(0.005)


class Guide:
    """The programs of the guide for one framework and one store, run block by block."""

    def __init__(self, framework: Any, store: str, server: Standin) -> None:
        self.framework = framework
        self.store = store
        self.server = server
        self.names: dict[str, Any] = {}

    def run(self, heading: str, number: int | None = None) -> None:
        """Run the blocks under a heading, or one of them."""
        found = SECTIONS[heading]
        for block in found if number is None else [found[number]]:
            exec(compile(block, heading, "exec"), self.names)  # noqa: S102 - our own page

    def open(self) -> None:
        """Run what a program has at its top."""
        self.run("One name for model and index")
        self.run(f"{self.framework.name} with {self.store}")

    def do(self, step: str, number: int | None = None) -> None:
        self.run(f"{self.framework.name}: {step}", number)

    def cut(self) -> None:
        in_postgres = f"{self.framework.name}: cut in PostgreSQL"
        self.run("Cut in Chroma" if self.store == "Chroma" else in_postgres)
        self.run("Then")

    def put(self, *texts: str) -> None:
        self.names["put"]([self.framework.document(text) for text in texts])

    def delete(self, *texts: str) -> None:
        self.names["delete"]([id_of(text) for text in texts])

    def ask(self, text: str) -> str:
        """Return what a search for a text finds first."""
        return str(self.framework.text(self.names["search"](text, k=1)[0]))

    def held(self, name: str) -> dict[str, tuple[str, NDArray[np.float32]]]:
        """Return what the store itself holds in an index: the text and the vector of each id."""
        rows = list(self.in_chroma(name) if self.store == "Chroma" else self.in_postgres(name))
        assert len({row[0] for row in rows}) == len(rows)  # none twice
        return {id_: (text, np.asarray(vector, np.float32)) for id_, text, vector in rows}

    def in_chroma(self, name: str) -> Iterator[tuple[str, str, Any]]:
        collection = self.names["client"].get_collection(name)
        found = collection.get(include=["documents", "embeddings"])
        return zip(found["ids"], found["documents"], found["embeddings"], strict=True)

    def in_postgres(self, name: str) -> Iterator[tuple[str, str, Any]]:
        table, id_, text = self.framework.tables
        columns = f"{id_}, {text}, embedding::text"
        statement = f"SELECT {columns} FROM {table.format(name)}"  # noqa: S608 - our own names
        with self.names["database"].connect() as connection:
            for row in connection.execute(needed("sqlalchemy").text(statement)):
                yield str(row[0]), row[1], np.array(row[2][1:-1].split(","), float)

    def check(self, name: str, texts: list[str]) -> None:
        """Hold that an index has these texts, no others, and each with its own vector."""
        held = self.held(name)
        assert {id_: text for id_, (text, _) in held.items()} == {id_of(t): t for t in texts}
        for text, vector in held.values():
            np.testing.assert_allclose(vector, self.right(name, text), atol=1e-6)

    def right(self, name: str, text: str) -> NDArray[np.float32]:
        """Return the vector that a text must have: the service's, of length 1."""
        sent, field = self.framework.sent(text), {}
        if name == OLD:
            field = {"task_type": "RETRIEVAL_DOCUMENT"}
        else:
            sent = f"title: none | text: {sent}"
        of: Any = {"model": MODELS[name], "dimension": DIMENSIONS[name], **field}
        vector = np.array(self.server.vector(sent, **of), np.float64)
        return np.asarray(vector / np.linalg.norm(vector), np.float32)

    def sent(self) -> Counter[tuple[str, str]]:
        """Return how often each document was sent to each model."""
        found: Counter[tuple[str, str]] = Counter()
        for exchange in self.server.log:
            for request in exchange.body["requests"] if exchange.body else []:
                text = request["content"]["parts"][0]["text"]
                model = request["model"].removeprefix("models/")
                if request.get("taskType") != "RETRIEVAL_QUERY" and "query: " not in text:
                    found[model, text.removeprefix("title: none | text: ")] += 1
        return found

    def expected(self, name: str, texts: list[str]) -> dict[tuple[str, str], int]:
        """Return what `sent` says when each text was sent once to the model of an index."""
        return {(MODELS[name], self.framework.sent(text)): 1 for text in texts}

    def close(self) -> None:
        if "client" in self.names:
            for collection in self.names["client"].list_collections():
                self.names["client"].delete_collection(collection.name)
            for api in (self.names["client"], self.names["client"]._admin_client):
                api._server._session.close()  # Chroma's `close` leaves it open
        if "database" in self.names:
            self.names["database"].dispose()
        if "engine" in self.names:
            self.names["engine"]._run_as_sync(self.names["engine"].close())
        for index in self.names.get("indexes", {}).values():
            store: Any = index.vector_store
            if self.store == "PostgreSQL":
                store._engine.dispose()


FLOWS = [(framework, store) for framework in (LangChain, LlamaIndex) for store in STORES]


@pytest.fixture(params=FLOWS, ids=lambda flow: f"{flow[0].name}-{flow[1]}")
def guide(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: Standin
) -> Iterator[Guide]:
    framework, store = request.param
    monkeypatch.chdir(tmp_path)  # for the cache and the name of what answers
    monkeypatch.setenv("GEMINI_API_KEY", "a-key")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url)
    for module in (
        ("langchain_chroma", "llama_index.vector_stores.chroma")
        if store == "Chroma"
        else ("langchain_postgres", "llama_index.vector_stores.postgres", "psycopg")
    ):
        needed(module)
    if store == "Chroma":
        monkeypatch.setenv("CHROMA_PORT", str(request.getfixturevalue("chroma")))
    else:
        url = request.getfixturevalue("database")(None)
        monkeypatch.setenv("DATABASE_URL", re.sub(r"^postgresql\S*?://", "postgresql://", url))
    made = Guide(framework, store, server)
    yield made
    made.close()


def test_an_index_moves_while_it_is_used(  # noqa: PLR0915 - one move, from beginning to end
    guide: Guide, server: Standin
) -> None:
    """Another model's index is filled beside the one that answers, takes over, and gives back.

    Questions are answered at every moment. What is written, changed and deleted meanwhile is in
    both; each vector in either index is its own text's, of that index's model; each text was sent
    once to each model, though the filling was stopped in between.
    """
    guide.open()
    guide.framework.fill(
        guide.names["open_index"](OLD), [guide.framework.document(text) for text in TEXTS]
    )
    guide.check(OLD, TEXTS)

    guide.do("write to both, ask one")
    assert guide.ask(TEXTS[0]) in TEXTS
    guide.do("fill the new index", 0)
    guide.do("fill the new index", 1)
    assert guide.sent() == guide.expected(OLD, TEXTS)  # a forecast sends nothing
    assert guide.names["said"].to_send == len(TEXTS)

    # It is stopped when a third is done.
    kept = guide.names[guide.framework.kept]
    catch_up, both = guide.names["catch_up"], (kept[OLD], kept[NEW])
    sent = len(server.log)
    server.script.extend([None, None, (403, {"error": {"code": 403, "message": "no"}}, {})])
    with pytest.raises(RequestError):
        catch_up(*both, at_once=10)
    assert len(guide.held(NEW)) == 20
    server.log.pop()  # was refused, and costs nothing
    assert len(server.log) == sent + 2

    # It goes on, and while it copies the third ten, these and others are changed and deleted.
    order = sorted(TEXTS, key=id_of)
    changed = [f"{order[place]} changed" for place in (1, 25, -1)]
    gone = [order[place] for place in (2, 26, -2)]
    added = "another text altogether"
    server.script.append("hang")
    with ThreadPoolExecutor() as pool:
        sent = len(server.log)
        filling = pool.submit(catch_up, *both, at_once=10)
        until(lambda: len(server.log) > sent)
        guide.put(*changed, added)
        guide.delete(*gone)
        assert guide.ask(order[30]) not in gone
        server.release()
        filling.result()
    guide.do("fill the new index", 2)

    now = sorted({*TEXTS, *changed, added} - {*gone, order[1], order[25], order[-1]})
    guide.check(OLD, now)
    guide.check(NEW, now)
    to_old = guide.expected(OLD, [*TEXTS, *changed, added])
    assert set(guide.sent().values()) == {1}
    assert {key for key in guide.sent() if key[0] == MODELS[OLD]} == set(to_old)
    assert catch_up(*both) == 0

    guide.framework.lose(kept[NEW], added)  # as after two writes at one moment
    guide.do("switch, and back", 0)
    guide.check(NEW, now)
    assert asked_model(guide) == MODELS[NEW]
    guide.put("a text written afterwards")
    now.append("a text written afterwards")
    guide.check(OLD, now)
    guide.check(NEW, now)

    guide.framework.lose(kept[OLD], added)
    guide.do("switch, and back", 1)
    assert asked_model(guide) == MODELS[OLD]
    guide.check(OLD, now)
    assert set(guide.sent().values()) == {1}

    sent = len(server.log)
    guide.do("delete the old index")
    assert len(server.log) == sent
    assert asked_model(guide) == MODELS[NEW]
    guide.check(NEW, now)
    guide.put("the last text")
    guide.check(NEW, [*now, "the last text"])
    with pytest.raises(Exception, match=OLD):
        guide.held(OLD)


def asked_model(guide: Guide) -> str:
    """Ask something new; return the model that embedded the question."""
    before = len(guide.server.log)
    guide.ask(f"question {before}")
    (exchange,) = guide.server.log[before:]
    assert exchange.body is not None
    return str(exchange.body["requests"][0]["model"]).removeprefix("models/")


def test_a_mixed_index_is_refused(guide: Guide) -> None:
    """An index that another model made is not opened, though its vectors are as long."""
    guide.open()
    guide.framework.fill(
        guide.names["open_index"](OLD), [guide.framework.document(text) for text in TEXTS]
    )
    sent = len(guide.server.log)

    guide.names["INDEXES"][OLD] = guide.names["INDEXES"][NEW]
    with pytest.raises(FingerprintMismatchError, match="vectors of two models"):
        guide.names["open_index"](OLD)

    assert len(guide.server.log) == sent
    guide.check(OLD, TEXTS)


def test_a_write_that_failed_is_brought_later(guide: Guide, server: Standin) -> None:
    """What the second index misses is logged, costs the first nothing, and is caught up with."""
    guide.open()
    guide.do("write to both, ask one")
    guide.do("fill the new index", 0)
    guide.put(*TEXTS[:3])

    server.script.extend([None, (403, {"error": {"code": 403, "message": "no"}}, {})])
    guide.put(TEXTS[3])

    guide.check(OLD, TEXTS[:4])
    guide.check(NEW, TEXTS[:3])
    kept = guide.names[guide.framework.kept]
    assert guide.names["catch_up"](kept[OLD], kept[NEW]) == 1
    guide.check(NEW, TEXTS[:4])


@pytest.mark.parametrize("by", ["the index", "the cache"])
def test_a_smaller_dimension_is_paid_for_by_nobody(guide: Guide, server: Standin, by: str) -> None:
    """The new index is filled without a request, from the old one's vectors or from the cache.

    Each vector is what the service answers for the smaller dimension; what is written meanwhile is
    sent once, for both.
    """
    guide.open()
    del guide.names["INDEXES"][OLD]
    guide.names["switch_to"](NEW)
    guide.run("To a smaller dimension, for nothing")
    guide.do("write to both, ask one")
    guide.do("fill the new index", 0)
    old, new = (guide.names[guide.framework.kept][name] for name in (NEW, SMALL))
    guide.framework.fill(old, [guide.framework.document(text) for text in TEXTS])
    guide.put("a text written meanwhile")
    server.log.clear()

    if by == "the index":
        guide.cut()
    assert guide.names["catch_up"](old, new) == (0 if by == "the index" else len(TEXTS))

    assert server.log == []
    guide.check(NEW, [*TEXTS, "a text written meanwhile"])
    guide.check(SMALL, [*TEXTS, "a text written meanwhile"])
    guide.put("another", f"{TEXTS[0]} changed")
    assert set(guide.sent().values()) == {1}
    guide.check(SMALL, [*TEXTS[1:], "a text written meanwhile", "another", f"{TEXTS[0]} changed"])


@pytest.mark.parametrize(
    "task", ["QUESTION_ANSWERING", "FACT_VERIFICATION", "CODE_RETRIEVAL_QUERY"]
)
def test_documents_of_the_other_searches_are_the_same(
    task: str, server: Standin, embeddings: Callable[..., Any], tmp_path: Path
) -> None:
    """With a cache, moving between the four kinds of search sends no document again."""
    cache = tmp_path / "vectors.sqlite3"
    before = embeddings(server, cache=cache).embed_documents(TEXTS)
    sent = len(server.log)

    assert embeddings(server, cache=cache, task_type=task).embed_documents(TEXTS) == before

    assert len(server.log) == sent


def test_every_program_of_the_guide_is_run() -> None:
    """No block of the page is left out by the tests above."""
    run = {"One name for model and index", "To a smaller dimension, for nothing", "Then"}
    run |= {"Cut in Chroma"} | {f"{one}: cut in PostgreSQL" for one in ("LangChain", "LlamaIndex")}
    for framework in ("LangChain", "LlamaIndex"):
        run |= {f"{framework} with {store}" for store in ("Chroma", "PostgreSQL")}
        run |= {
            f"{framework}: {step}"
            for step in (
                "write to both, ask one",
                "fill the new index",
                "switch, and back",
                "delete the old index",
            )
        }

    assert {heading for heading, found in SECTIONS.items() if found} == run
    assert sum(map(len, SECTIONS.values())) == GUIDE.count("```python\n")
