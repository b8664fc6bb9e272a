"""Search a folder of pictures and PDF pages by sentences, with both frameworks.

Run it from the top of the repository with `make demo-media`, or `python -m examples.pictures`. It
draws the folder first. With a key in GOOGLE_API_KEY or GEMINI_API_KEY it talks to Google; without
one it starts the local stand-in. The hits are shown as pictures, on one sheet. Exits with 1 where
either framework finds fewer than eight in ten.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from langchain_chroma import Chroma
from llama_index.core.indices import MultiModalVectorStoreIndex
from llama_index.core.schema import ImageNode
from matplotlib.figure import Figure
from matplotlib.image import imread

from examples.drawings import Drawn, draw_all
from examples.service import DIMENSIONS, MODEL, connect, key_of_user
from gemini_embed import GeminiEmbedder, Media
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

FOLDER = Path("demo-media")
SHEET = "hits.png"
TOP = 3
NEEDED = 0.8

QUESTIONS: Mapping[str, str] = {
    "a ship with a sail": "boat",
    "a home to live in": "house",
    "somewhere to go skiing": "mountain",
    "when must I stop my car?": "traffic-light",
    "a board for a game": "chessboard",
    "did revenue go up?": "bars",
    "sources of energy": "pie",
    "how do I bake a loaf?": "bread",
    "what does the furniture cost?": "invoice",
    "my bike has a puncture": "bicycle",
}
"""A sentence, and what it is about."""

Search = Callable[[str], list[Path]]
Index = Callable[[Sequence[Path], Mapping[str, Any]], Search]


def index_with_langchain(paths: Sequence[Path], options: Mapping[str, Any]) -> Search:
    """Put the files into Chroma, which asks `embed_image` for their vectors."""
    embeddings = GeminiEmbeddings(model=MODEL, output_dimensionality=DIMENSIONS, **options)
    store = Chroma(f"media-{uuid4().hex}", embeddings)
    store.add_images(
        uris=[str(path) for path in paths], metadatas=[{"path": str(path)} for path in paths]
    )

    def search(sentence: str) -> list[Path]:
        return [Path(hit.metadata["path"]) for hit in store.similarity_search(sentence, k=TOP)]

    return search


def index_with_llamaindex(paths: Sequence[Path], options: Mapping[str, Any]) -> Search:
    """Put the files into LlamaIndex's own index of texts and pictures."""
    embed_model = GeminiEmbedding(MODEL, output_dimensionality=DIMENSIONS, **options)
    index = MultiModalVectorStoreIndex(
        # LlamaIndex leaves out what has neither text nor metadata.
        [ImageNode(image_path=str(path), metadata={"path": str(path)}) for path in paths],
        embed_model=embed_model,
        image_embed_model=embed_model,
    )
    retriever = index.as_retriever(image_similarity_top_k=TOP)

    def search(sentence: str) -> list[Path]:
        hits = retriever.text_to_image_retrieve(sentence)
        return [Path(str(hit.node.image_path)) for hit in hits if isinstance(hit.node, ImageNode)]

    return search


INDEXES: Mapping[str, Index] = {
    "LangChain": index_with_langchain,
    "LlamaIndex": index_with_llamaindex,
}


def announce(key: str | None, paths: Sequence[Path]) -> None:
    """Say whose vectors these are, and what Google's cost: for both frameworks."""
    embedder = GeminiEmbedder(model=MODEL, api_key="any")  # only asked what it would cost
    said = embedder.estimate(map(Media.from_path, paths), role="document")
    if key:
        print(f"Using your key: {2 * said.texts} files go to Google, and count against its quota;")
        print(f"about ${2 * (said.cost or 0):.4f}, where the key is not free.")
    else:
        print("No key in GOOGLE_API_KEY or GEMINI_API_KEY: starting the local stand-in.")
        print("It cannot see: it reads the text of the pages, and of the pictures the description")
        print("in their files. Its vectors are NOT Google's, where the")
        print(f"{2 * said.texts} files would cost about ${2 * (said.cost or 0):.4f}.")


def show(sheet: Path, hits: Mapping[str, Mapping[str, list[Path]]]) -> None:
    """Draw the hits of each sentence as pictures on one sheet, those of each framework together."""
    figure = Figure(figsize=(2.6 + 1.3 * TOP * len(hits), 1.35 * len(QUESTIONS)))
    figure.suptitle("   |   ".join(f"{name}: the best {TOP}, from the left" for name in hits))
    figure.subplots_adjust(0.01, 0.01, 0.99, 0.95, wspace=0.05, hspace=0.05)
    widths = [2, *[1] * TOP * len(hits)]
    grid = figure.subplots(len(QUESTIONS), len(widths), width_ratios=widths)
    for cells, sentence in zip(grid, QUESTIONS, strict=True):
        for cell in cells:
            cell.set_axis_off()
        cells[0].text(0, 0.5, sentence, va="center")
        found = [path for one in hits.values() for path in one[sentence]]
        for cell, path in zip(cells[1:], found, strict=True):
            cell.imshow(imread(path))
    figure.savefig(sheet, dpi=80)


def run(index: Index, drawn: Sequence[Drawn], options: Mapping[str, Any]) -> dict[str, list[Path]]:
    """Index the files with one framework; return, for each sentence, pictures of its hits."""
    shown = {one.path: one.shown for one in drawn}
    search = index(list(shown), options)
    hits = {sentence: [shown[path] for path in search(sentence)] for sentence in QUESTIONS}
    for sentence, (best, *others) in hits.items():
        mark = "+" if is_right(sentence, best) else "-"
        print(f" {mark} {sentence:30} {best.stem:16} ({', '.join(one.stem for one in others)})")
    return hits


def is_right(sentence: str, picture: Path) -> bool:
    """Tell whether a picture is of what a sentence is about."""
    return picture.stem.removesuffix("-page") == QUESTIONS[sentence]


def main(folder: Path = FOLDER) -> int:
    """Return the exit status."""
    drawn = draw_all(folder)
    key = key_of_user()
    announce(key, [one.path for one in drawn])
    hits = {}
    with connect(key) as service:
        for name, index in INDEXES.items():
            print(f"\n{name}: the best hit, and what else was near")
            hits[name] = run(index, drawn, service.options)
    sheet = folder / SHEET
    show(sheet, hits)
    print(f"\nThe hits as pictures: {sheet}")
    shares = [
        sum(is_right(sentence, found[0]) for sentence, found in one.items()) / len(QUESTIONS)
        for one in hits.values()
    ]
    return int(min(shares) < NEEDED)


if __name__ == "__main__":
    sys.exit(main())
