"""A corpus of real documentation: the Python Language Reference, which every Python has inside.

`help("lambda")` shows it. The questions were written before anything was run against them, and stay
as they are whatever the result.
"""

from pydoc_data import topics
from typing import NamedTuple

LONGEST_TOPIC = 10_000  # longer ones repeat others, or are a tool's manual
LONGEST_CHUNK = 800


class Chunk(NamedTuple):
    """Some paragraphs of a topic."""

    id: str
    topic: str
    title: str
    text: str


def chunks() -> list[Chunk]:
    """Return the reference in pieces, each with the title of what it is from."""
    found: dict[str, Chunk] = {}
    for topic, text in sorted(topics.topics.items()):
        title, _, rest = text.partition("\n")
        for number, piece in enumerate(_pieces(rest) if len(text) <= LONGEST_TOPIC else ()):
            chunk = Chunk(f"{topic}-{number}", topic, title.replace('"', ""), piece)
            found.setdefault(piece, chunk)  # some topics are part of others
    return list(found.values())


def _pieces(text: str) -> list[str]:
    """Put paragraphs together until they are long enough."""
    pieces = [""]
    for paragraph in filter(None, (part.strip("\n* ") for part in text.split("\n\n"))):
        if pieces[-1] and len(pieces[-1]) + len(paragraph) > LONGEST_CHUNK:
            pieces.append("")
        pieces[-1] += f"{paragraph}\n\n"
    return [piece.strip() for piece in pieces if piece]


QUESTIONS = {
    "How do I leave a loop before it ends?": {"break", "while", "for"},
    "Skip the rest of this round and go on with the next one": {"continue"},
    "Make an anonymous function": {"lambda"},
    "How can a function change a variable of the function around it?": {"nonlocal"},
    "How do I write a number in hexadecimal?": {"integers"},
    "What happens to objects that nobody can reach any more?": {"objects"},
    "Which values count as false?": {"truth", "booleans"},
    "How do I make sure that a file is closed, whatever happens?": {
        "with",
        "context-managers",
        "try",
    },
    "How do I run one piece of code or another, depending on a condition?": {
        "if",
        "else",
        "booleans",
    },
    "Which operators bind more tightly than others?": {"operator-summary"},
    "How do I give a parameter a value for callers who leave it out?": {"function"},
    "How do I check an assumption while debugging?": {"assert"},
    "A statement that does nothing": {"pass"},
    "How do I remove a name or an item?": {"del"},
    "Make an instance callable like a function": {"callable-types", "calls"},
    "How do I find out whether a list contains something?": {"in", "comparisons"},
    "Throw an exception and say which one caused it": {"raise"},
    "How do I wait for a coroutine's result?": {"await", "async"},
    "How do I make my class work with plus and minus?": {"numeric-types"},
    "How are complex numbers written?": {"imaginary", "numbers"},
    "How do I write a loop over the items of a list?": {"for"},
    "Where does Python look for a module?": {"import"},
    "Give back a value from a function": {"return"},
    "How do I take every second item of a sequence?": {"slicings", "typesseq"},
    "May a name contain letters that are not English?": {"identifiers"},
}
"""Questions, and the topics that answer them."""
