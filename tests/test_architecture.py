"""What the page on the architecture promises, and what keeps a module easy to read."""

from __future__ import annotations

import pytest
from pages import ROOT

PACKAGES = ("gemini_embed", "langchain_gemini_embed", "llamaindex_gemini_embed")
MODULES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("*.py", 400),
        ("langchain_gemini_embed/embeddings.py", 250),
        ("llamaindex_gemini_embed/embedding.py", 250),
    ],
)
def test_a_module_is_read_in_one_sitting(name: str, most: int) -> None:
    """One that wants to be longer wants to be two; an adapter's is names in and names out."""
    lines = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in MODULES
        if path.relative_to(ROOT).match(name)
    }

    assert lines
    assert {path: count for path, count in lines.items() if count > most} == {}
