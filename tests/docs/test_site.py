"""The site builds without a warning, its links lead somewhere, and it needs nothing from elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from tests.docs.pages import ROOT

_LOADED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}


class Page(HTMLParser):
    """The anchors of a page, where its links lead, and what it loads."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if found.get("id"):
            self.anchors.add(str(found["id"]))
        if tag == "a" and found.get("href"):
            self.links.append(str(found["href"]))
        if tag in _LOADED and found.get(_LOADED[tag]) and found.get("rel") != "canonical":
            self.loads.append(str(found[_LOADED[tag]]))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Page]:
    """All pages, built with warnings as errors."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return {file: Page(file) for file in folder.rglob("*.html") if file.name not in {"404.html", "search.html"}}


def test_every_internal_link_leads_somewhere(site: dict[Path, Page]) -> None:
    broken = [
        f"{file.name}: {link}" for file, page in site.items() for link in page.links if _is_broken(link, file, site)
    ]
    assert broken == []


def _is_broken(link: str, file: Path, site: dict[Path, Page]) -> bool:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return False
    target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
    if target not in site:
        return not target.exists()
    return bool(parts.fragment) and unquote(parts.fragment) not in site[target].anchors


def test_nothing_is_loaded_from_elsewhere(site: dict[Path, Page]) -> None:
    assert {load for page in site.values() for load in page.loads if urlsplit(load).netloc} == set()
    folder = min(site, key=lambda file: len(file.parts)).parent
    sheets = [sheet.read_text(encoding="utf-8") for sheet in folder.rglob("*.css")]
    assert [found for sheet in sheets for found in re.findall(r"url\(['\"]?(?:https?:)?//[^)]*\)", sheet)] == []


def test_no_source_file_is_published(site: dict[Path, Page]) -> None:
    folder = min(site, key=lambda file: len(file.parts)).parent
    assert list(folder.rglob("*.py")) == []
