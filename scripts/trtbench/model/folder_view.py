"""A model's folder as whoever runs it gets to see it: its data and nothing else, so that no file of it can be executed.

What runs a model may trust its folder more than this program does: NVIDIA's converters and quantize.py load the code that
`auto_map` names whether or not the model needs it, others take every *.safetensors or an adapter that lies beside the model. So
they get a folder of links to what is data, with the configurations that name code written anew without it. transformers also
fetches and runs a kernel of the Hub that a configuration names as its attention, and reads another file than the one that is
checked and recorded where a configuration lists some; neither is named in a view. The user's own folder is never written to;
records describe that one.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

from trtbench.errors import UserError
from trtbench.model.files import CODE, INDEX, brings_code, read_config, weight_files, weights_from
from trtbench.records.files import whole_folder

DATA = (".json", ".txt", ".model", ".jinja", ".tiktoken")  # configuration, vocabulary, chat template
ADAPTER = "adapter_config.json"  # has transformers load another model than the one beside it
TOKENIZER = "tokenizer_config.json"
FAST = "PreTrainedTokenizerFast"
# What people keep beside a model, which nobody who runs it reads; also what has no ending, and what is hidden (.gitattributes).
PAPERS = (".md", ".pdf", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp")
OTHER_FILES = ("configuration_files", "fast_tokenizer_files")  # have transformers read one of these instead
# Of attention, of experts: a name, or OWNER/REPOSITORY of the Hub.
KERNEL = re.compile(r"\w+_implementation(_internal)?")
NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)  # of disks without symbolic links


def for_running(folder: Path, cache: Path) -> Path:
    """The folder to hand to lanes, judge and tools: `folder` itself where all in it is data of the model or harmless, else a view
    of it under `cache`."""
    changed = without_code(folder)
    if not changed and all(_is_harmless(file) for file in {*folder.iterdir()} - {*_data_of(folder)}):
        return folder
    return view(folder, cache / "model-views", changed)


def without_code(folder: Path) -> dict[str, Any]:
    """The configurations of a folder that name code or other files to read, as they are without; by name. In place of one
    that can't be read, of which nobody can say what it names, there is an empty one."""
    changed: dict[str, Any] = {}
    for file in _data_of(folder):
        if file.suffix != ".json" or "config" not in file.name:
            continue
        try:
            content = read_config(folder, file.name)
        except UserError:  # those that matter were checked before
            changed[file.name] = {}
            continue
        cleaned = without_foreign(content)
        if cleaned != content:
            changed[file.name] = cleaned
            if file.name == TOKENIZER and brings_code(content):
                # Its own class may be named there as well; the ids are those of tokenizer.json.
                changed[file.name]["tokenizer_class"] = FAST
    return changed


def view(folder: Path, home: Path, changed: dict[str, Any]) -> Path:
    """A folder below `home` of links to the data in `folder`, with the contents of `changed` in place of files of their names.
    One that is there and whole is taken. Raises UserError where the disk of `home` has no symbolic links."""
    links = {file.name: str(file.resolve()) for file in _data_of(folder) if file.name not in changed}
    texts = {name: json.dumps(content, indent=2) + "\n" for name, content in changed.items()}
    state = json.dumps([str(folder.resolve()), links, texts], sort_keys=True)
    linked = home / hashlib.sha256(state.encode()).hexdigest()[:16]
    if _holds(linked, links, texts):
        return linked
    with whole_folder(linked, str(os.getpid())) as making:
        for name, target in links.items():
            _link(making / name, target, folder, home)
        for name, text in texts.items():
            (making / name).write_text(text, encoding="utf-8")
    return linked


def _link(file: Path, target: str, folder: Path, home: Path) -> None:
    try:
        file.symlink_to(target)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        raise UserError(
            f"DATA_DIR: {home} takes no symbolic links ({error.strerror}), and {folder} can't be used as it is, only a folder of "
            "links to its data: set DATA_DIR to a folder on a disk that takes them."
        ) from None


def _is_harmless(file: Path) -> bool:
    return file.name.startswith(".") or (file.is_file() and file.suffix.lower() in ("", *PAPERS))


def _holds(linked: Path, links: dict[str, str], texts: dict[str, str]) -> bool:
    """Whether a view is whole, with nothing added."""
    try:
        return (
            {file.name for file in linked.iterdir()} == {*links, *texts}
            and all(
                (linked / name).is_symlink() and str((linked / name).readlink()) == to for name, to in links.items()
            )
            and all((linked / name).read_text(encoding="utf-8") == text for name, text in texts.items())
        )
    except OSError:
        return False


def _data_of(folder: Path) -> list[Path]:
    """The files at the top of a folder that are data of the model: weights that are loaded, configuration, tokenizer."""
    names = {file.name for file in folder.iterdir() if file.is_file()}
    data = {name for name in names if name.endswith(DATA) and not name.endswith(".index.json") and name != ADAPTER}
    if weights_from(names) == INDEX:
        data.add(INDEX)
    return sorted([*(folder / name for name in data), *weight_files(folder)])


def without_foreign(content: Any) -> Any:
    """A part of a configuration without what names code, the model's own or the Hub's, or other files to read in its place."""
    if isinstance(content, dict):
        return {name: without_foreign(part) for name, part in content.items() if not _is_foreign(name, part)}
    return [without_foreign(part) for part in content] if isinstance(content, list) else content


def _is_foreign(name: str, value: Any) -> bool:
    # A plain name (eager, sdpa) is a choice among transformers' own; one for each part of a model stands in an object.
    return name in (CODE, *OTHER_FILES) or (KERNEL.fullmatch(name) is not None and "/" in json.dumps(value))
