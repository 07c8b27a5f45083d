"""A model's folder as whoever runs it gets to see it: its data and nothing else, so that no file of it can be executed.

What runs a model may trust its folder more than this program does: NVIDIA's converters and quantize.py load the code that
`auto_map` names whether or not the model needs it, others take every *.safetensors or an adapter that lies beside the model. So
they get a folder of links to what is data, with the configurations that name code written anew without it. The user's own
folder is never written to; records describe that one.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from trtbench.errors import UserError
from trtbench.model.files import CODE, INDEX, brings_code, read_config, weight_files, weights_from
from trtbench.records.files import whole_folder

DATA = (".json", ".txt", ".model", ".jinja", ".tiktoken")  # configuration, vocabulary, chat template
ADAPTER = "adapter_config.json"  # has transformers load another model than the one beside it
TOKENIZER = "tokenizer_config.json"
FAST = "PreTrainedTokenizerFast"


def for_running(folder: Path, cache: Path) -> Path:
    """The folder to hand to lanes, judge and tools: `folder` itself where all in it is data of the model, else a view of it
    under `cache`."""
    changed = without_code(folder)
    if not changed and set(folder.iterdir()) == set(_data_of(folder)):
        return folder
    return view(folder, cache / "model-views", changed)


def without_code(folder: Path) -> dict[str, Any]:
    """The configurations of a folder that name code of the model's, as they are without; by name."""
    changed = {}
    for file in _data_of(folder):
        if file.suffix != ".json" or "config" not in file.name:
            continue
        try:
            content = read_config(folder, file.name)
        except UserError:  # what is no JSON object names nothing; those that matter were checked before
            continue
        if brings_code(content):
            changed[file.name] = _cleaned(content)
            if file.name == TOKENIZER:  # its own class may be named there as well; the ids are those of tokenizer.json
                changed[file.name]["tokenizer_class"] = FAST
    return changed


def view(folder: Path, home: Path, changed: dict[str, Any]) -> Path:
    """A folder below `home` of links to the data in `folder`, with the contents of `changed` in place of files of their names.
    One that is there and whole is taken."""
    links = {file.name: str(file.resolve()) for file in _data_of(folder) if file.name not in changed}
    texts = {name: json.dumps(content, indent=2) + "\n" for name, content in changed.items()}
    state = json.dumps([str(folder.resolve()), links, texts], sort_keys=True)
    linked = home / hashlib.sha256(state.encode()).hexdigest()[:16]
    if _holds(linked, links, texts):
        return linked
    with whole_folder(linked, str(os.getpid())) as making:
        for name, target in links.items():
            (making / name).symlink_to(target)
        for name, text in texts.items():
            (making / name).write_text(text, encoding="utf-8")
    return linked


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


def _cleaned(content: Any) -> Any:
    """A part of a configuration without what names code."""
    if isinstance(content, dict):
        return {name: _cleaned(part) for name, part in content.items() if name != CODE}
    return [_cleaned(part) for part in content] if isinstance(content, list) else content
