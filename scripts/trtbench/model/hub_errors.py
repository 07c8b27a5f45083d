"""What the Hub's refusals mean for the user: one sentence each, with the setting that helps."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from trtbench.errors import UserError
from trtbench.model import pickled
from trtbench.model.built_in import SYNTHETIC
from trtbench.model.files import check_folder, no_weights


@dataclasses.dataclass(frozen=True)
class Source:
    """A model at a revision (branch, tag or commit) of a Hub, and the folder of its snapshots here."""

    name: str
    revision: str
    home: Path
    endpoint: str
    token: str = dataclasses.field(repr=False)
    convert_pickle: bool = False  # weights that are there as pickle alone are taken, to be converted

    @property
    def shown(self) -> str:
        """The address of the Hub without a password that may stand in it."""
        parts = urlsplit(self.endpoint)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

    @property
    def page(self) -> str:
        return f"{self.shown}/{self.name}"


def sentence(error: Exception, source: Source, file: str = "") -> str:
    """Say what an error of huggingface_hub or of its HTTP library means; `file` is what was asked for, if one was."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    model = f"MODEL_NAME={source.name!r}"
    asked_for = f"{source.name}/{file}" if file else source.name
    kept = "what has arrived is kept: " if file else ""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, GatedRepoError) or status == 403:
        refused = " (the HF_TOKEN that is set has no access)" if source.token else ""
        return f"{model} is gated{refused}: accept its licence at {source.page} and set HF_TOKEN to a token of that account."
    if status == 401:
        if source.token and not isinstance(error, RepositoryNotFoundError):
            return f"{source.shown} does not take the HF_TOKEN that is set; make a new one in your account's settings."
        who = "to the HF_TOKEN that is set" if source.token else "without HF_TOKEN"
        return (
            f"{source.shown} shows no {model} {who}: it is misspelt, private or gated; check the name, or accept its "
            f"licence at {source.page} and set HF_TOKEN to a token of that account."
        )
    if isinstance(error, RevisionNotFoundError):
        return (
            f"MODEL_REVISION={source.revision!r} does not exist for {model}; it takes a branch, tag or commit listed at "
            f"{source.page}/commits/main, or nothing."
        )
    if status == 404 and file:
        return no_such_file(source, file)
    if status == 404:
        return (
            f"{model} does not exist at {source.shown}; it takes a Hub id, a local folder, or one of "
            f"{', '.join(SYNTHETIC)}."
        )
    if status is not None:
        return f"{source.shown} answered {status} when asked for {asked_for}; {kept}try again later."
    return (
        f"{source.shown} cannot be reached for {asked_for} ({_cause(error)}); {kept}try again, or set "
        "HTTPS_PROXY for a proxy, HF_ENDPOINT for a mirror, OFFLINE=1 for what was downloaded before, or MODEL_NAME "
        "to a local folder."
    )


def _cause(error: BaseException) -> str:
    """The innermost reason in its own words: HTTP libraries wrap it several times, with addresses in between."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


def no_id(name: str, example: str) -> str:
    """Say that MODEL_NAME is no folder and no id, and the id where it is an address of the Hub, or one with a revision."""
    meant = re.match(r"(?:https?://)?(?:[\w.-]+\.co/)?([\w.-]+/[\w.-]+)(?:/(?:tree|blob|resolve)/|[@:/]|$)", name)
    hint = f"; did you mean {meant[1]}, with MODEL_REVISION for another than the main branch?" if meant else "."
    return f"MODEL_NAME={name!r} is neither a folder that exists nor a Hub id such as {example}{hint}"


def offline_sentence(source: Source, setting: str) -> str:
    """Say that the network is forbidden and the model is not here, and which commits are."""
    commits = sorted(p.name for p in (source.home / "snapshots").glob("*") if p.is_dir())
    others = f" (there: {', '.join(commits)}, to be named with MODEL_REVISION)" if commits else ""
    own = in_the_librarys_cache(source)
    instead = f"take huggingface_hub's own copy with MODEL_NAME={own}" if own else "set MODEL_NAME to a local folder"
    return (
        f"{setting} forbids the network, and MODEL_NAME={source.name!r} at {source.revision} is not in "
        f"{source.home}{others}; run once without it, or {instead}."
    )


def in_the_librarys_cache(source: Source) -> Path | None:
    """A whole snapshot of the wanted revision in huggingface_hub's own cache, where other programs have put it. It is only told of:
    nobody has checked its bytes, and this program's folder is DATA_DIR."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    home = os.environ.get("HF_HOME") or os.path.join(cache, "huggingface")
    hub = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE") or os.path.join(home, "hub")
    model = Path(hub).expanduser() / f"models--{source.name.replace('/', '--')}"
    try:
        noted = model / "refs" / source.revision
        commit = noted.read_text(encoding="utf-8").strip() if noted.is_file() else source.revision
        folder = model / "snapshots" / commit
        check_folder(folder)
    except (OSError, ValueError, UserError):
        return None
    return folder


def no_such_file(source: Source, file: str) -> str:
    """Say that a file that belongs to the model cannot be had."""
    return (
        f"{source.name} at {source.revision} lacks {file[:100]}, which belongs to it, on {source.shown}; "
        "name with MODEL_REVISION a revision that has it."
    )


def not_usable(source: Source, commit: str, files: Sequence[str]) -> str | None:
    """Say why a list of file names can't be a model for this program, or None."""
    model = f"MODEL_NAME={source.name!r} at {source.revision}"
    if source.revision != commit:
        model += f" ({commit[:12]})"
    folder = (
        "save model and fast tokenizer once with transformers (save_pretrained) into a folder and set MODEL_NAME to it"
    )
    if "config.json" not in files:
        return f"{model} has no config.json: it is not a model of transformers; name one that is."
    reason = no_weights(files)
    if reason is not None:
        return f"{model} {reason}; or name with MODEL_REVISION a revision that has them."
    weights = [name for name in files if name.endswith(".safetensors")]
    others = [
        name for name in files if name.endswith((".bin", ".pt", ".pth", ".h5", ".msgpack", ".ckpt", ".gguf", ".ot"))
    ]
    fast = "tokenizer.json" in files
    if not weights and pickled.first_file(files):
        if source.convert_pickle:
            return None if pickled.tokenizer_files(files) else pickled.no_tokenizer(model)
        if pickled.tokenizer_files(files):
            folder = f"{folder}, or set {pickled.SETTING}=1: {pickled.OFFER}"
    if not weights:
        only = f" (only {', '.join(others[:3])}, which is not loaded: pickle can run code)" if others else ""
        both = "" if fast else " and no tokenizer.json"
        must = "" if fast else ", which must bring both"
        return (
            f"{model} has no *.safetensors{both}{only}: set MODEL_REVISION to a revision that has them{must} (conversions "
            f"are offered at {source.page}/discussions; number 5 there is MODEL_REVISION=refs/pr/5), or {folder}."
        )
    if not fast:
        slow = [
            name
            for name in ("tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "vocab.json")
            if name in files
        ]
        only = f" (only {slow[0]})" if slow else ""
        return f"{model} has no tokenizer.json{only}, and the fast format is wanted: {folder}."
    return None
