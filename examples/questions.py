"""The demo's ten questions, and the names that answer them.

They were fixed before anything was run against them, and stay as they are whatever the result.
"""

from typing import NamedTuple


class Question(NamedTuple):
    """A question, and every name that is a right answer to it."""

    text: str
    answers: frozenset[str]
    other_words: bool = False  # shares no content word with the name of any answer


QUESTIONS = (
    Question(
        "How do I copy a file?",
        frozenset({"shutil.copy", "shutil.copy2", "shutil.copyfile"}),
    ),
    Question(
        "How do I delete a folder and everything inside it?",
        frozenset({"shutil.rmtree"}),
        other_words=True,
    ),
    Question(
        "What is the average of a list of numbers?",
        frozenset({"statistics.mean", "statistics.fmean"}),
        other_words=True,
    ),
    Question(
        "How can I make user input safe to show on a web page?",
        frozenset({"html.escape"}),
        other_words=True,
    ),
    Question(
        "How do I mix up the order of the items in a list?",
        frozenset({"random.shuffle"}),
        other_words=True,
    ),
    Question(
        "How do I suggest the right spelling of a mistyped word?",
        frozenset({"difflib.get_close_matches"}),
        other_words=True,
    ),
    Question(
        "How can I remember earlier results instead of computing them again?",
        frozenset({"functools.cache", "functools.lru_cache"}),
        other_words=True,
    ),
    Question(
        "How do I run a shell command and get its output?",
        frozenset(
            {
                "subprocess.check_output",
                "subprocess.getoutput",
                "subprocess.getstatusoutput",
                "subprocess.run",
            }
        ),
    ),
    Question(
        "How do I wrap a long paragraph at a given width?",
        frozenset({"textwrap.fill", "textwrap.wrap"}),
    ),
    Question(
        "How do I turn a JSON string into Python objects?",
        frozenset({"json.loads"}),
    ),
)
