"""The official integrations, where they are installed: the demo shows what they would do."""

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from examples.service import DIMENSIONS, MODEL

Make = Callable[[Mapping[str, Any]], Any]
"""From how to reach the service to an object that embeds."""


def official() -> dict[str, Make]:
    """Return what makes an object of each framework's official class that is installed."""
    return {name: make for name, (module, make) in _OFFICIAL.items() if _is_installed(module)}


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # a package above it is not there
        return False


_LANGCHAIN = "langchain_google_genai"
_LLAMAINDEX = "llama_index.embeddings.google_genai"


def _langchain(options: Mapping[str, Any]) -> Any:
    made = import_module(_LANGCHAIN).GoogleGenerativeAIEmbeddings
    return made(model=MODEL, output_dimensionality=DIMENSIONS, **options)


def _llamaindex(options: Mapping[str, Any]) -> Any:
    made = import_module(_LLAMAINDEX).GoogleGenAIEmbedding
    return made(
        model_name=MODEL,
        api_key=options["api_key"],
        http_options={"base_url": options["base_url"]},
        embedding_config={"output_dimensionality": DIMENSIONS},
    )


_OFFICIAL: Mapping[str, tuple[str, Make]] = {
    "LangChain": (_LANGCHAIN, _langchain),
    "LlamaIndex": (_LLAMAINDEX, _llamaindex),
}
