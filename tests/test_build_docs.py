"""What `make docs` finds in a site that was built."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tools.build_docs import faults_of

if TYPE_CHECKING:
    from pathlib import Path


def faults(site: Path, body: str) -> list[str]:
    (site / "sub").mkdir()
    (site / "style.css").touch()
    (site / "other.html").write_text('<h2 id="there">x</h2>', encoding="utf-8")
    page = site / "sub" / "page.html"
    page.write_text(f'<h1 id="top">x</h1>{body}', encoding="utf-8")
    return [*faults_of(page, site)]


@pytest.mark.parametrize(
    "body",
    [
        '<a href="../other.html">x</a> <a href="../other.html#there">x</a> <a href="#top">x</a>',
        '<a href="/other.html#there">x</a> <a href="https://example.org/a#b">x</a>',
        '<link href="../style.css"><img src="data:image/png;base64,AA==">',
        "<p>one - two, a | b</p><p><code>[a](b)</code></p><pre>- no list</pre>",
    ],
)
def test_a_page_without_a_fault_has_none(tmp_path: Path, body: str) -> None:
    """Links to pages, to parts of pages and to elsewhere; files of the site's own."""
    assert faults(tmp_path, body) == []


@pytest.mark.parametrize(
    "body",
    [
        '<a href="../missing.html">x</a>',
        '<a href="../other.html#missing">x</a>',
        '<a href="#missing">x</a>',
        '<a href="../../outside.html">x</a>',
        '<a href="http://example.org">x</a>',
        '<a href="https://example">x</a>',
        '<script src="https://example.org/x.js"></script>',
        '<link href="missing.css">',
        '<img src="missing.svg">',
        "<p>for instance:\n- one</p>",
        "<p>| a | b |</p>",
        "<p>[a](b.md</p>",
        '<p>--8<-- "file"</p>',
    ],
)
def test_each_fault_is_found(tmp_path: Path, body: str) -> None:
    """No link leads nowhere, nothing is loaded from elsewhere, and no Markdown is left over."""
    assert len(faults(tmp_path, body)) == 1
