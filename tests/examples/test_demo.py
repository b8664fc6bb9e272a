"""The demo asks honest questions of a real corpus, and runs from end to end without a key."""

import os
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from examples import demo, official, service
from examples.corpus import MOST_WORDS, passages
from examples.questions import QUESTIONS, Question
from gemini_embed.standin import Standin
from langchain_gemini_embed import GeminiEmbeddings

REPOSITORY = Path(__file__).parents[2]
KEYS = ("GOOGLE_API_KEY", "GEMINI_API_KEY")

# Words that carry no content of their own.
STOP_WORDS = {
    "a",
    "an",
    "and",
    "at",
    "can",
    "do",
    "how",
    "i",
    "in",
    "is",
    "it",
    "its",
    "of",
    "on",
    "the",
    "them",
    "to",
    "up",
    "what",
}


def content_stems(text: str) -> set[str]:
    """Return the stems of the words that carry the meaning of `text`, however they are joined."""
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", text)]
    return {re.sub(r"(?:ing|ed|es|s|e)$", "", word) for word in words if word not in STOP_WORDS}


def shares_a_word(question: Question) -> bool:
    """Tell whether a word of the question begins a word of an answer's name, or is inside it.

    Names run words together (`rmtree`, `copyfile`), so a stem anywhere in the name counts.
    """
    asked = content_stems(question.text)
    return any(
        stem in name.lower() or any(stem.startswith(part) for part in content_stems(name))
        for name in question.answers
        for stem in asked
    )


def test_corpus_has_at_least_300_different_passages() -> None:
    """At least 300 passages, each with a name and a text of its own, none of them long."""
    found = passages()
    assert len(found) >= 300
    assert len({passage.name for passage in found}) == len(found)
    assert len({passage.text for passage in found}) == len(found)
    assert all(len(passage.text.split()) <= MOST_WORDS + 1 for passage in found)


def test_corpus_is_the_same_every_time() -> None:
    """Two readings give the same passages in the same order, which is that of their names."""
    found = passages()
    assert found == passages() == sorted(found)


def test_each_passage_says_what_it_is() -> None:
    """A passage is a qualified name, a blank line, and what the docstring says."""
    texts = {passage.name: passage.text for passage in passages()}
    assert texts["json.loads"].startswith("json.loads\n\nDeserialize ")


def test_there_are_ten_different_questions() -> None:
    """The demo's results are out of ten."""
    assert len({question.text for question in QUESTIONS}) == len(QUESTIONS) == 10


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.text)
def test_every_answer_is_in_the_corpus(question: Question) -> None:
    """No question is unanswerable, on any Python."""
    assert question.answers
    assert question.answers <= {passage.name for passage in passages()}


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.text)
def test_other_words_means_no_shared_content_word(question: Question) -> None:
    """A question is marked `other_words` when, and only when, its answers' names do not help."""
    assert question.other_words is not shares_a_word(question)


def test_at_least_four_questions_use_other_words_than_their_answers() -> None:
    """A search for words alone cannot pass the demo."""
    assert sum(question.other_words for question in QUESTIONS) >= 4


def test_demo_runs_without_a_key() -> None:
    """Without a key the demo starts the stand-in, says whose vectors it shows, and passes."""
    without_keys = {name: value for name, value in os.environ.items() if name not in KEYS}
    run = subprocess.run(
        [sys.executable, "-m", "examples.demo"],
        cwd=REPOSITORY,
        env=without_keys,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "NOT Google's" in run.stdout
    for framework in ("LangChain", "LlamaIndex"):
        last_line = run.stdout.rindex(f"\n{framework} ")
        assert len(re.findall(r"\b\d+ of 10\b", run.stdout[last_line:].splitlines()[1])) == 2
    assert "100%" in run.stderr  # the progress bars


def test_demo_fails_when_the_right_passages_are_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Vectors without meaning make the demo exit with 1."""
    for key in KEYS:
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setattr(service, "Standin", lambda model: Standin(model="hash"))  # noqa: ARG005
    assert demo.main() == 1


@pytest.mark.parametrize("variable", KEYS)
def test_demo_uses_a_key_that_is_set(
    variable: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A key in either variable sends the texts to Google, and the demo says so, without the key."""
    used: list[str | None] = []

    def note_key(framework: str, _corpus: object, key: str | None) -> demo.Result:
        used.append(key)
        return demo.Result(framework, None, 1.0, 10, 10, Decimal("0.01"))

    def not_with_a_key(name: str, *_: object) -> list[demo.Result]:
        raise AssertionError(name)

    for name in KEYS:
        monkeypatch.setenv(name, "")
    monkeypatch.setenv(variable, "a-key")
    monkeypatch.setattr(demo, "run", note_key)
    monkeypatch.setattr(demo, "run_official", not_with_a_key)
    assert demo.main() == 0
    assert used == ["a-key", "a-key"]
    printed = capsys.readouterr().out
    assert f"{2 * (len(passages()) + 10)} texts go to Google" in printed
    assert "stand-in" not in printed
    assert "left out" in printed
    assert "a-key" not in printed


def test_key_goes_to_google_itself() -> None:
    """With a key there is no other base URL, and requests are not counted."""
    with service.connect("a-key") as google:
        assert google == service.Service({"api_key": "a-key"}, standin=None)


@pytest.mark.parametrize(
    ("names", "rank", "verdict"),
    [
        (["json.loads", "json.load", "json.dump"], 1, "right"),
        (["json.load", "json.dump", "json.loads"], 3, "number 3 is right: json.loads 0.300"),
        (["json.load", "json.dump", "json.dumps"], None, "wrong, and so are the other 2"),
    ],
)
def test_demo_says_where_the_right_passage_is(
    names: list[str], rank: int | None, verdict: str
) -> None:
    """A right passage counts by its place, and the line below its question says the place."""
    scores = (0.5, 0.4, 0.3)
    found = [demo.Found(*pair) for pair in zip(names, scores, strict=True)]
    question = Question("How do I read JSON?", frozenset({"json.loads"}))
    assert demo.rank_of_answer(question, found) == rank
    line = demo.describe(found, rank)
    assert line.startswith(names[0])
    assert line.endswith(f" 0.500  {verdict}")


def test_last_screen_shows_each_class_below_its_framework() -> None:
    """Hits, requests, seconds and dollars of ours, and below them those of the official class."""
    ours = demo.Result("LangChain", 15, 2.0, 9, 6, Decimal("0.0057"))
    theirs = demo.Result(demo.OFFICIAL, 52, 3.25, 8, 7, None)
    alone = demo.Result("LlamaIndex", None, 1.0, 10, 10, Decimal("0.0057"))

    shown = demo.screen({"LangChain": [ours, theirs], "LlamaIndex": [alone]}, None).splitlines()

    lines = [" ".join(line.split()) for line in shown[1:4]]
    assert lines == [
        "LangChain 9 of 10 6 of 10 15 2.0 $0.0057",
        f"{demo.OFFICIAL} 8 of 10 7 of 10 52 3.2 unknown",
        "LlamaIndex 10 of 10 10 of 10 ? 1.0 $0.0057",
    ]
    assert len(shown) < 15
    assert max(map(len, shown)) <= 80


class Official:
    """Stands for an official class: takes what it takes, and embeds without a task."""

    def __new__(cls, **options: Any) -> Any:
        known = {"model", "model_name", "output_dimensionality", "api_key", "base_url"}
        known |= {"http_options", "embedding_config"}
        assert options.keys() <= known
        url = options.get("base_url") or options["http_options"]["base_url"]
        return GeminiEmbeddings(api_key="any", base_url=url, task_prefix=False)


def test_official_classes_are_found_where_they_are_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each framework's is made with the model and the address of ours, if it is there."""
    monkeypatch.setattr(official, "_is_installed", lambda _module: True)
    classes = {"GoogleGenerativeAIEmbeddings": Official, "GoogleGenAIEmbedding": Official}
    monkeypatch.setattr(official, "import_module", lambda _: SimpleNamespace(**classes))
    options = {"api_key": "any", "base_url": "http://127.0.0.1:1"}

    made = {name: make(options) for name, make in official.official().items()}

    assert list(made) == list(demo.FRAMEWORKS)
    assert all(one.base_url == options["base_url"] for one in made.values())


def test_official_classes_that_are_not_installed_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without them the screen says how to see them."""
    monkeypatch.setattr(official, "find_spec", lambda _module: None)
    alone = demo.Result("LangChain", 15, 2.0, 9, 6, Decimal("0.0057"))

    assert official.official() == {}
    assert "make demo VARIANT=peers" in demo.screen({"LangChain": [alone]}, None)


def test_an_official_class_that_fails_does_not_end_the_demo(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its error is shown in its place."""

    def fail(_options: object) -> Any:
        raise ValueError("of theirs")

    monkeypatch.setattr(service, "Standin", lambda model: Standin(model="hash"))  # noqa: ARG005
    assert demo.run_official("LangChain", fail, passages()[:3]) == []
    assert "ValueError: of theirs" in capsys.readouterr().out


def test_cost_of_a_class_that_does_not_tell_is_that_of_what_it_sent() -> None:
    """The price is that of the texts that were answered, as they were sent."""
    with Standin(model="hash") as standin:
        embeddings = GeminiEmbeddings(
            model=service.MODEL, api_key="any", base_url=standin.url, task_prefix=False
        )
        embeddings.embed_documents(["a text", "another text"])
        embeddings.embed_query("a question")

        assert demo.price(standin.log) == embeddings.usage.cost()
        assert embeddings.usage.cost()
