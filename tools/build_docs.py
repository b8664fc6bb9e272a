"""`make docs`: builds the documentation's site, and fails for a warning or a dead link.

Zensical checks the links between pages as they are written; this checks the site as it is read,
with all that other files gave to it. It asks nobody: a link to elsewhere must only be well formed.
"""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
SITE = ROOT / "site"

_EXPECTED = re.compile(r"Build (started|finished in .*)|No issues found|")
"""All that Zensical prints of a build without a fault."""

_UNREAD = re.compile(r"^(- |\d+\. |\|)|\]\(|--8<--|^::: ", re.MULTILINE)
"""Markdown that became a paragraph, such as a list without an empty line before it."""


class Page(HTMLParser):
    """What a page of the site has that a link may lead to, and where its own links lead."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.paragraphs: list[str] = []
        self._inside: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element is named and where it leads."""
        of = dict(attrs)
        self.ids |= {name for name in (of.get("id"), of.get("name")) if name}
        if tag == "a" and of.get("href") is not None:
            self.links.append(of["href"] or "")
        loaded = of.get("src") or (of.get("href") if tag == "link" else None)
        if loaded:
            self.loaded.append(loaded)
        if tag == "p":
            self.paragraphs.append("")
        if tag in {"p", "code"}:
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Note that an element ends."""
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        """Keep what a paragraph says, without its code."""
        if self._inside == ["p"]:
            self.paragraphs[-1] += data


@cache
def page_of(path: Path) -> Page:
    """Return a page of the site, read once."""
    return Page(path)


def faults_of(path: Path, site: Path = SITE) -> Iterator[str]:
    """Yield what is wrong with a page of a site."""
    page = page_of(path)
    for link in page.links:
        if not (_leads_elsewhere(link) or _leads_somewhere(path, link, site)):
            yield f"dead link: {link}"
    for loaded in page.loaded:
        if not (loaded.startswith("data:") or _leads_somewhere(path, loaded, site)):
            yield f"missing, or loaded from elsewhere: {loaded}"
    for text in page.paragraphs:
        if _UNREAD.search(text):
            yield f"Markdown that is not read as such: {text[:60]!r}"


def _leads_elsewhere(link: str) -> bool:
    parts = urlsplit(link)
    return parts.scheme == "https" and "." in parts.netloc and " " not in link


def _leads_somewhere(path: Path, link: str, site: Path) -> bool:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return False
    start = site if parts.path.startswith("/") else path.parent
    target = (start / unquote(parts.path).lstrip("/")).resolve() if parts.path else path
    if target.is_dir():
        target /= "index.html"
    if not target.is_file() or not target.is_relative_to(site):
        return False
    return not parts.fragment or unquote(parts.fragment) in page_of(target).ids


def build() -> list[str]:
    """Build the site and return what Zensical has to say against the pages."""
    done = subprocess.run(  # noqa: S603 - our own tool
        [Path(sys.executable).parent / "zensical", "build", "--clean", "--strict"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    text, _, _ = done.stdout.partition("Traceback")  # of Zensical itself, for any warning
    lines = re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()
    said = [line for line in lines if not _EXPECTED.fullmatch(line.strip())]
    return said or [f"zensical ended with {done.returncode}"] * bool(done.returncode)


def main() -> None:
    """Build, check, and say what is wrong where."""
    faults = build() or [
        f"{path.relative_to(SITE)}: {fault}"
        for path in sorted(SITE.rglob("*.html"))
        for fault in faults_of(path)
    ]
    if faults:
        sys.exit("\n".join(faults))
    print(f"{SITE / 'index.html'} is the first of {len([*SITE.rglob('*.html')])} pages")


if __name__ == "__main__":
    main()
