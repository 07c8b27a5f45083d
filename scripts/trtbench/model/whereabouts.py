"""Where a model is looked for, and whether it is here: one answer for the benchmark and for the doctor.

Standard library only and Python 3.8 syntax, because the doctor runs with the host's own Python before anything is installed.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from trtbench.errors import UserError
from trtbench.model import pickled
from trtbench.model.built_in import PACKAGED, SYNTHETIC, folder_of
from trtbench.model.files import check_folder, check_pickled, pickle_files
from trtbench.model.hub_errors import Source
from trtbench.settings.knobs import Settings

# The main branch of this model since March 2024; MODEL_REVISION overrides it.
PINNED = {"TinyLlama/TinyLlama-1.1B-Chat-v1.0": "fe8a4ea1ffedaf415f4da2f062534de366a451e6"}
ENDPOINT = "https://huggingface.co"
SHA1 = re.compile(r"[0-9a-f]{40}")  # of a commit, or of a blob


def source_of(settings: Settings) -> str:
    """Decide hub, local, package or synthetic from MODEL_SOURCE and the look of MODEL_NAME. Raises UserError where MODEL_SOURCE
    is synthetic or package and has no such model."""
    source, name = settings.model_source, settings.model_name
    if source == "synthetic" and name not in SYNTHETIC:
        raise UserError(f"MODEL_NAME={name!r} is not a synthetic model; there are {', '.join(SYNTHETIC)}.")
    if source == "package" and name not in PACKAGED:
        raise UserError(f"MODEL_NAME={name!r} is not carried by a package; there is {', '.join(PACKAGED)}.")
    if source != "auto":
        return source
    if name in SYNTHETIC:
        return "synthetic"
    if name in PACKAGED:
        return "package"
    if name.startswith((".", "/", "~")) or Path(name).is_dir():
        return "local"
    return "hub"


def local_folder(settings: Settings) -> Path:
    """The folder that MODEL_NAME names, checked. Raises UserError where it isn't a model that can be used."""
    folder = Path(settings.model_name).expanduser()
    check_usable(folder, settings.convert_pickle)
    return folder


def check_usable(folder: Path, convert_pickle: bool) -> None:
    """Refuse a folder that is no model to be loaded and, where pickle weights are to be converted, none of these either."""
    if convert_pickle and pickle_files(folder):
        check_pickled(folder)
    else:
        check_folder(folder)


def packaged_folder(settings: Settings) -> Path | None:
    """The folder of a model that a package carries, checked; None until it has been fetched."""
    folder = folder_of(settings.model_name, settings.data / "models")
    if not folder.is_dir():
        return None
    check_folder(folder)
    return folder


def hub_source(settings: Settings) -> Source:
    """Where the model lies on the Hub, and here. Raises UserError for an address or a token that can't be one."""
    name = settings.model_name
    endpoint = (os.environ.get("HF_ENDPOINT") or ENDPOINT).rstrip("/")
    try:
        address = urlsplit(endpoint)
        usable = address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise UserError(f"HF_ENDPOINT={endpoint!r} is not an address; it takes one such as {ENDPOINT}.")
    if not re.fullmatch(r"[!-~]*", settings.hf_token):
        raise UserError("HF_TOKEN holds characters that no token has (spaces or letters beyond ASCII); copy it again.")
    return Source(
        name=name,
        revision=settings.model_revision or PINNED.get(name, "main"),
        home=settings.data / "models" / "hub" / f"models--{name.replace('/', '--')}",
        endpoint=endpoint,
        token=settings.hf_token,
        convert_pickle=settings.convert_pickle,
    )


def snapshot(source: Source, offline: bool) -> Path | None:
    """The folder …/snapshots/COMMIT of the wanted revision, checked, where it is here; `offline`: a branch or tag is the commit
    that it last had. Raises UserError where the folder is damaged."""
    commit = source.revision if SHA1.fullmatch(source.revision) else None
    if offline:
        commit = commit or refs(source.home).get(source.revision)
    folder = source.home / "snapshots" / commit if commit else None
    return checked(folder, source.convert_pickle) if folder and folder.is_dir() else None


def checked(folder: Path, convert_pickle: bool) -> Path:
    """A snapshot that is a whole model; a UserError says what is wrong with it and how to mend it."""
    try:
        check_usable(folder, convert_pickle)
    except UserError as error:
        if not convert_pickle and pickled.first_file([file.name for file in folder.iterdir()]):
            raise  # it was fetched with the setting, and is whole
        raise UserError(f"{error} Delete {folder} to download it again.") from None
    return folder


def refs(home: Path) -> dict[str, str]:
    """Commits that branches and tags had when they were last fetched."""
    try:
        noted = json.loads((home / "refs.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(noted, dict):
        return {}
    return {name: commit for name, commit in noted.items() if SHA1.fullmatch(str(commit))}
