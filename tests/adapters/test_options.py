"""Each option is the same in the core, in both adapters and on its page, but for these lists."""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest
from pages import DOCS, ROOT

from gemini_embed import GeminiEmbedder
from gemini_embed.adapter import OptionArgs
from gemini_embed.options import OPTIONS, CallOptions, Options
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding
from llamaindex_gemini_embed.spellings import MoreArgs

if TYPE_CHECKING:
    from collections.abc import Iterable

    Adapter = type[GeminiEmbeddings | GeminiEmbedding]

CORE = {field.name: field for field in fields(Options) if field.name in OPTIONS}

NEEDED = "LlamaIndex's base class has a name or a number there, and never None"
SECRET = "made a SecretStr by validation, so that no view of the model shows it"  # noqa: S105 - no secret
NO_FORM = "kept out of the JSON schema: it is no data"
ADDRESS = "shown and dumped without what lets one in"

OF_BOTH: dict[tuple[str, str], tuple[Any, str]] = {
    ("api_key", "type"): ("Secret | None", SECRET),
    ("base_url", "type"): ("ShownUrl | None", ADDRESS),
    ("on_retry", "type"): ("SkipJsonSchema[Callable[[Retry], None] | None]", NO_FORM),
    ("on_progress", "type"): ("SkipJsonSchema[Callable[[Progress], None] | None]", NO_FORM),
    ("count_tokens", "type"): ("SkipJsonSchema[CountTokens]", NO_FORM),
    ("quota", "type"): ("SkipJsonSchema[Quota | Literal['shared'] | None]", NO_FORM),
    ("additional_headers", "type"): ("Mapping[str, Secret] | None", SECRET),
}
DIFFERENT: dict[tuple[str, str, str], tuple[Any, str]] = {
    **{
        (adapter, *what): there
        for adapter in ("GeminiEmbeddings", "GeminiEmbedding")
        for what, there in OF_BOTH.items()
    },
    ("GeminiEmbeddings", "api_key", "name"): ("google_api_key", "LangChain's name for it"),
    ("GeminiEmbedding", "model", "name"): ("model_name", "the base class's name for it"),
    ("GeminiEmbedding", "batch_size", "name"): ("embed_batch_size", "the base class's name for it"),
    ("GeminiEmbedding", "batch_size", "type"): ("int", NEEDED),
    ("GeminiEmbedding", "batch_size", "default"): (100, NEEDED),
}
"""Adapter, option and what differs -> what it is there, and why."""

SPELLED_OUT = {
    "api_key": "str | SecretStr | None",
    "timeout": "float | None",
    "retry_min_seconds": "float | None",
    "retry_max_seconds": "float | None",
    "retry_exponential_base": "float | None",
    "model": "str | None",
    "batch_size": "int | None",
}
"""Options that LlamaIndex's constructor names itself: None there means that nothing was given.

The first five may be given by place, and the last two are the base class's under other names.
"""

LOOKS = "where None looks"
OTHERWISE = {
    "api_key": ("`GOOGLE_API_KEY`, then `GEMINI_API_KEY`", LOOKS),
    "vertexai": ("`GOOGLE_GENAI_USE_VERTEXAI`, else as `project` or `credentials` say", LOOKS),
    "project": ("`GOOGLE_CLOUD_PROJECT`", LOOKS),
    "location": ("`GOOGLE_CLOUD_LOCATION`, else one that serves the model", LOOKS),
    "credentials": ("those that google-auth finds", LOOKS),
    "task_type": ("retrieval", "what None comes to"),
    "output_dimensionality": ("the model's own", "what None comes to"),
    "batch_size": ("100 texts a request", "what None comes to with the Gemini API"),
    "max_retries": ("6, and 2 for queries", "what None comes to"),
    "requests_per_minute": ("learned", "what None comes to"),
    "tokens_per_minute": ("learned", "what None comes to"),
    "requests_per_day": ("learned", "what None comes to"),
    "quota": ("one of its own", "what None comes to"),
    "batch_tokens": ("450000; on Vertex AI no limit", "what None comes to"),
    "cache": ("off", "what None comes to"),
    "service_name": ("the address", "what None comes to"),
    "base_url": ("Google's", "what None comes to"),
    "api_version": ("the SDK's", "what None comes to"),
    "prices": ("Google's", "what None comes to"),
}
"""Option -> the default in the words of the page, and why it is not the default itself."""


def annotation(cls: type, name: str) -> str:
    """Return what is written behind the name of a field, in the class that declares it."""
    found = next(c.__annotations__[name] for c in cls.__mro__ if name in inspect.get_annotations(c))
    return str(getattr(found, "__forward_arg__", found))


def differences(adapter: Adapter) -> Iterable[tuple[str, str, Any]]:
    for name, option in CORE.items():
        there = adapter._field(name)
        if there != name:
            yield name, "name", there
        if (written := annotation(adapter, there)) != option.type:
            yield name, "type", written
        if (default := adapter.model_fields[there].default) != option.default:
            yield name, "default", default


@pytest.mark.parametrize("adapter", [GeminiEmbeddings, GeminiEmbedding])
def test_an_option_is_the_same_field_in_an_adapter(adapter: Adapter) -> None:
    """By name, type and default; the exceptions are those listed, and all of them."""
    found = {(adapter.__name__, *what): there for *what, there in differences(adapter)}

    assert found == {k: there for k, (there, _) in DIFFERENT.items() if k[0] == adapter.__name__}


def test_llamaindexs_constructor_names_each_option() -> None:
    """By its place, or as one of the other keywords, with the type of the core."""
    named = inspect.get_annotations(GeminiEmbedding.__init__)
    keywords = {name: annotation(OptionArgs, name) for name in OptionArgs.__annotations__}
    spelled_out = {name: named.get(name) or annotation(MoreArgs, name) for name in SPELLED_OUT}

    assert spelled_out == SPELLED_OUT
    assert keywords == {n: option.type for n, option in CORE.items() if n not in SPELLED_OUT}


def defaults_of_the_page() -> dict[str, str]:
    """Return the second column of the tables of options by the name in the first."""
    page = (DOCS / "options.md").read_text(encoding="utf-8")
    shared, _, _ = page.partition("\n## Of the frameworks alone")
    return dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", shared, re.MULTILINE))


def is_literally(text: str, default: object) -> bool:
    """Tell whether a default stands there as Python, as a number with its unit, or as `none`."""
    found = re.match(r"`(.*)`$|(\d+)|(none)$", text)
    literal = next(filter(None, found.groups())) if found else "..."
    try:
        return bool(ast.literal_eval(literal.replace("none", "None")) == default)
    except (SyntaxError, ValueError):
        return False


def test_the_page_has_each_option_and_its_default() -> None:
    """The exceptions are those listed, and all of them."""
    shown = defaults_of_the_page()
    otherwise = {n: text for n, text in shown.items() if not is_literally(text, CORE[n].default)}

    assert shown.keys() == CORE.keys()
    assert otherwise == {name: text for name, (text, _) in OTHERWISE.items()}


@pytest.mark.parametrize("adapter", [GeminiEmbeddings, GeminiEmbedding])
def test_type_checkers_see_every_option_used(adapter: Adapter) -> None:
    """The code of users that they check has each name that a constructor takes."""
    code = ast.parse((ROOT / "tests/typing/test_user_code.py").read_text(encoding="utf-8"))
    calls = (node for node in ast.walk(code) if isinstance(node, ast.Call))
    used = {
        keyword.arg
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == adapter.__name__
        for keyword in call.keywords
    }
    named = {name for name in inspect.get_annotations(adapter.__init__) if name != "options"}
    taken = {*adapter.model_fields, *adapter._spellings, *named} - {"return"}

    assert taken <= used


def test_a_calls_options_are_those_of_embed() -> None:
    """`aembed`, whose options are listed, takes what `embed` spells out."""
    spelled_out = inspect.signature(GeminiEmbedder.embed).parameters.values()
    named = {p.name: p.annotation for p in spelled_out if p.kind is p.KEYWORD_ONLY}
    listed = {name: annotation(CallOptions, name) for name in CallOptions.__annotations__}

    assert listed == named | {"role": "Required[Role]"}
