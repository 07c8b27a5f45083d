"""The documents as a site: it builds strictly, all of it is reached from the start page, and what is broken is named."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lacking import lacking
from trtbench.settings.knobs import ROOT

PYTHON = ROOT / ".venv-site" / "bin" / "python"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])

_spec = importlib.util.spec_from_file_location("site_check", ROOT / "tools" / "site" / "check.py")
assert _spec and _spec.loader
check = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(check)

# By document: what is added to it, and what must be said of it.
FAULTS = {
    "docs/fairness.md": ("[x](no-such-document.md)", "no-such-document.md"),
    "NVIDIA_SETUP.md": ("[x](README.md#no-such-heading)", "no-such-heading"),
    "docs/prompts.md": ("[x](#no-such-anchor)", "no-such-anchor"),
    "docs/strangers.md": ("[x](../scripts/no-such-script.sh)", "no-such-script.sh"),
    "docs/first-run.md": ("[x](results/no-such-card)", "no-such-card"),
    "docs/methodology.md": ("![x](no-such-chart.png)", "no-such-chart.png"),
    "docs/alone.md": ("# A page that no navigation has", "isn't included in any toctree"),
    "docs/extending.md": ('<img src="no-such-picture.png">', "no-such-picture.png"),
    "docs/architecture.md": ('<a href="../README.md">of GitHub only</a>', "../README.md"),
    "CONTRIBUTING.md": ('<a href="docs/prompts.html#gone">x</a>', "gone"),
    "docs/possible.html": ('<a href="no-such-page.html">x</a>', "no-such-page.html"),
}


def build(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    if not PYTHON.is_file():
        lacking(f"{PYTHON.parents[1].name} is not there; bash scripts/site.sh --install makes it")
    return subprocess.run(
        [str(PYTHON), "-B", str(tree / "tools" / "site" / "build.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "built"
    done = build(ROOT, str(folder))
    assert (done.returncode, done.stderr) == (0, "")
    return folder


def reached(site: Path) -> set[Path]:
    """What the links lead to from the start page."""
    found = check.pages(site)
    seen: set[Path] = set()
    waiting = [site / "index.html"]
    while waiting:
        page = waiting.pop()
        if page not in seen:
            seen.add(page)
            references = found[page].references if page in found else []
            waiting += [there[0] for _, reference in references if (there := check.target(page, reference))]
    return seen


@pytest.mark.slow
def test_all_that_is_published_is_reached_from_the_start_page(site: Path) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "*.md", "docs"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    wanted = {name for name in tracked if ROOT / name in PAGES or name.startswith("docs/")}
    assert {"README.fr.md", "docs/possible.html", "docs/results/h200/runs/every-lane.bundle"} <= wanted
    there = {path.relative_to(site).as_posix() for path in reached(site.resolve())}
    assert {name for name in wanted if re.sub(r"\.md$", ".html", name) not in there} == set()


@pytest.mark.slow
def test_files_are_what_they_are_in_the_repository(site: Path) -> None:
    """They lie where they lie there, so that a link may be handed on; none is filled in or renamed."""
    for name in ("docs/possible.html", "docs/results/h200/attempts/vllm-first.log", "LICENSE"):
        assert (site / name).read_bytes() == (ROOT / name).read_bytes()


@pytest.mark.slow
def test_pages_name_their_language_and_load_nothing_from_elsewhere(site: Path) -> None:
    languages = {
        name: re.findall(r'<html[^>]* lang="(\w+)"', (site / f"{name}.html").read_text())
        for name in ("README", "README.fr")
    }
    assert languages == {"README": ["en"], "README.fr": ["fr"]}
    for path in [*site.rglob("*.html"), *site.rglob("*.css")]:
        text = path.read_text(encoding="utf-8")
        assert re.findall(r"<(?:script|img|link|iframe)[^>]*?(?:src|href)=\"?(?:https?:)?//", text) == [], path
        assert re.findall(r"(?:url\(|@import)[\s\"']*(?:https?:)?//", text) == [], path


@pytest.mark.slow
def test_each_fault_of_a_document_is_named(tmp_path: Path) -> None:
    """One build of a copy that has them all, each in a document of its own."""
    tree = tmp_path / "tree"
    contract = "scripts/trtbench/engine/contract"
    for folder in ("docs", "tools/site", contract):
        shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for path in [*ROOT.glob("*.md"), ROOT / "LICENSE", ROOT / "CITATION.cff"]:
        shutil.copy(path, tree)
    for name, (text, _) in FAULTS.items():
        with (tree / name).open("a", encoding="utf-8") as file:
            file.write(f"\n\n{text}\n")
    done = build(tree, str(tmp_path / "site"))
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    for name, (_, said) in FAULTS.items():
        place = rf"\b{name.removesuffix('.md')}(\.\w+)?:"
        assert any(re.search(place, line) and said in line for line in lines), (name, done.stderr)
    # No fault was found where none is.
    named = {re.sub(r"^(?:error: |.*/tree/)(\S+?)(?:\.md|\.html)?:.*", r"\1", line) for line in lines[:-1]}
    assert named == {re.sub(r"\.\w+$", "", name) for name in FAULTS}


@pytest.mark.slow
def test_a_folder_that_is_no_site_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = build(ROOT, str(tmp_path))
    assert done.returncode == 2
    assert "is no site that was built here" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_references_of_a_page_that_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "part").mkdir()
    (tmp_path / "a b.png").touch()
    (tmp_path / "part" / "index.html").write_text('<h1 id="réglages">x</h1> <a href="..">out of the folder</a>')
    sound = (
        '<a href="part#r%C3%A9glages">x</a> <a href="#">x</a> <img src="a%20b.png" srcset="a%20b.png 2x"> '
        '<a href="https://example.org/gone">x</a> <a href="mailto:a@example.org">x</a> <a id="here" href="#here">x</a>'
    )
    page = tmp_path / "index.html"
    page.write_text(sound)
    assert check.broken(tmp_path) == []
    page.write_text(
        f'{sound}\n<a href="gone.html">x</a>\n<img src="gone.png">\n<a href="part/#gone">x</a>\n<a href="../other/x">x</a>'
        '\n<a href="#gone">x</a>\n<source srcset="a%20b.png, gone.webp 2x">'
    )
    assert check.broken(tmp_path) == [
        "index.html:2: gone.html is not there",
        "index.html:3: gone.png is not there",
        "index.html:4: part/#gone names an anchor that part/index.html has not",
        "index.html:5: ../other/x leads out of the site",
        "index.html:6: #gone names an anchor that index.html has not",
        "index.html:7: gone.webp is not there",
    ]
