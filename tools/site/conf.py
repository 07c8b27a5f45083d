"""The documents as a site: what Sphinx is told. `bash scripts/site.sh` builds it; tools/site/build.py checks what was built.

The documents are written for GitHub and stay as they are. What a site needs beside them is here: the navigation, and links to
files that are no pages. Those files are copied to the place that they have in the repository, so a link that works there works
here, and nobody has to know where the repository is published. A link to a folder leads to a page that lists it.
"""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[2]

project = "trtbench"
copyright = author = ""  # stands in LICENSE
extensions = ["myst_parser", "sphinx.ext.githubpages"]
root_doc = "README"
# Whatever else lies in a clone, environments and results too, has no pages.
exclude_patterns = [path.name for path in ROOT.iterdir() if path.is_dir() and path.name != "docs"]

# As GitHub reads it: its anchors at every level, and none of MyST's own signs, which would be text there.
myst_heading_anchors = 6
myst_enable_extensions = ["strikethrough"]
myst_disable_syntax = ["myst_role", "myst_target", "myst_line_comment", "myst_block_break"]
# A run's report begins with a heading of the second level: it is made for a pull request.
suppress_warnings = ["myst.header"]
smartquotes = False  # GitHub has none, and two strokes before an option are two

html_theme = "furo"
html_title = "trtbench"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
html_use_index = False
html_domain_indices = False


# By title. What ends in .html is no document but a file that is copied; a star takes documents with their own titles.
NAVIGATION: dict[str, dict[str, str]] = {
    "Start": {"What it is, how it is run": "README", "Français": "README.fr"},
    "How to": {
        "Before the first real run": "docs/first-run",
        "Troubleshooting": "docs/troubleshooting",
        "Your own prompts": "docs/prompts",
        "Several cards": "docs/several-cards",
        "Many machines": "docs/fleet",
        "NVIDIA setup": "NVIDIA_SETUP",
    },
    "Believe it": {
        "Can a claim be true?": "docs/possible.html",
        "Fairness": "docs/fairness",
        "Methodology": "docs/methodology",
        "": "docs/results/*/README",
        "An example of a report": "docs/examples/README",
        "Send your results": "docs/results/CONTRIBUTING",
        "Strangers' files and claims": "docs/strangers",
    },
    "Build on it": {
        "Architecture": "docs/architecture",
        "Extending": "docs/extending",
        "TensorRT-LLM contract": "docs/tensorrt-contract",
        "Performance": "docs/performance",
        "Contributing": "CONTRIBUTING",
        "Changes": "CHANGELOG",
    },
}
LANGUAGES = {"README.fr": "fr"}
# Sphinx's navigation knows documents and addresses. This makes a file's path look like one, until the page is written.
FILE = "file-of-the-site://"

linked: set[Path] = set()  # the files and folders that documents and navigation lead to


def tree(entries: dict[str, str], caption: str = "") -> str:
    """One part of the navigation, as MyST reads it."""
    lines = ["```{toctree}", ":hidden:", ":glob:", *([f":caption: {caption}"] if caption else [])]
    for title, name in entries.items():
        target = FILE + name if name.endswith(".html") else "self" if name == root_doc else name
        lines.append(f"{title} <{target}>" if title else target)
    return "\n".join(["", *lines, "```", ""])


def add_navigation(app: Sphinx, docname: str, source: list[str]) -> None:
    if docname == root_doc:
        source[0] += "".join(tree(entries, caption) for caption, entries in NAVIGATION.items())
    elif re.fullmatch(r"docs/results/[^/]+/README", docname):
        # Their own titles are one and the same.
        runs = sorted(path.stem for path in (ROOT / docname).parent.glob("runs/*.md"))
        source[0] += tree({name: f"runs/{name}" for name in runs})


def keep_links_to_files(app: Sphinx, doctree: nodes.document) -> None:
    """A link to what is no document stays as it is written, since what it leads to will lie where it lies in the repository.
    A link that leads nowhere is left to MyST, which names it."""
    folder = ROOT.joinpath(app.env.docname).parent
    found = [*doctree.findall(addnodes.download_reference), *doctree.findall(addnodes.pending_xref)]
    for node in found:
        target = (folder / node["reftarget"]).resolve()
        is_folder = target.is_dir()
        if node.get("refdomain") or not (is_folder or target.is_file()) or ROOT not in target.parents:
            continue
        linked.add(target)
        address = f"{node['reftarget'].rstrip('/')}/index.html" if is_folder else node["reftarget"]
        node.replace_self(nodes.reference("", "", *node.children, refuri=address, internal=True))


def pages_of_folders(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """A page for each folder that is linked, which lists what GitHub lists; what it lists is linked then."""
    for folder in sorted(path for path in linked if path.is_dir()):
        rows = []
        for path in sorted(path for path in folder.iterdir() if path.is_file()):
            document = app.env.path2doc(path) in app.env.found_docs
            if not document:
                linked.add(path)
            address = path.with_suffix(".html").name if document else path.name
            rows.append(f'<li><a href="{html.escape(address)}"><code>{html.escape(path.name)}</code></a></li>')
        title = folder.relative_to(ROOT).as_posix()
        body = f"<h1><code>{html.escape(title)}</code></h1>\n<ul>\n" + "\n".join(rows) + "\n</ul>\n"
        yield f"{title}/index", {"title": title, "body": body}, "page.html"


def finish_page(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    context["language"] = LANGUAGES.get(page, "en")
    # A heading has to say of which level it is, and the theme's do not.
    navigation = context["furo_navigation_tree"].replace('role="heading"', 'role="heading" aria-level="2"')
    here = f'internal" href="{context["content_root"]}'
    context["furo_navigation_tree"] = navigation.replace(f'external" href="{FILE}', here)


def copy_files(app: Sphinx, failure: Exception | None) -> None:
    if failure:
        return
    files = {path for path in linked if path.is_file()}
    files |= {ROOT / name for entries in NAVIGATION.values() for name in entries.values() if name.endswith(".html")}
    for path in sorted(files):
        place = Path(app.outdir, path.relative_to(ROOT))
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
    shutil.copyfile(Path(app.outdir, f"{root_doc}.html"), Path(app.outdir, "index.html"))


def setup(app: Sphinx) -> None:
    app.connect("source-read", add_navigation)
    app.connect("doctree-read", keep_links_to_files, priority=400)  # before Sphinx takes the files for downloads
    app.connect("html-collect-pages", pages_of_folders)
    app.connect("html-page-context", finish_page, priority=600)  # after the theme has made the navigation
    app.connect("build-finished", copy_files)
