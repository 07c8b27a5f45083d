"""Whether everything that a built site refers to is in it: pages, anchors, images and files, whatever they came from.

Sphinx knows the links of Markdown; raw HTML, the theme and the files that are copied as they are it does not look into.
"""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """What a page can be entered at, and what it refers to, with the line."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = {"", "top"}
        self.references: list[tuple[int, str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if value is None:
                continue
            if name == "id" or (name == "name" and tag == "a"):
                self.anchors.add(value)
            elif name == "srcset":
                self.references += [(self.getpos()[0], part.split()[0]) for part in value.split(",") if part.strip()]
            elif name in ("href", "src"):
                self.references.append((self.getpos()[0], value))


def pages(site: Path) -> dict[Path, Page]:
    """Every page of a site."""
    return {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}


def target(page: Path, reference: str) -> tuple[Path, str] | None:
    """The file and the anchor that a page refers to; None for what is not of the site."""
    parts = urlsplit(reference)
    if parts.scheme or parts.netloc:
        return None
    path = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    return path / "index.html" if path.is_dir() else path, unquote(parts.fragment)


def broken(site: Path) -> list[str]:
    """References that lead nowhere, or out of the site, each with its page and line."""
    site = site.resolve()
    found = pages(site)
    wrong = []
    for page, content in found.items():
        for line, reference in content.references:
            there = target(page, reference)
            if there is None:
                continue
            path, anchor = there
            place = f"{page.relative_to(site)}:{line}"
            if site not in path.parents:
                wrong.append(f"{place}: {reference} leads out of the site")
            elif not path.is_file():
                wrong.append(f"{place}: {reference} is not there")
            elif path in found and anchor not in found[path].anchors:
                wrong.append(f"{place}: {reference} names an anchor that {path.relative_to(site)} has not")
    return wrong
