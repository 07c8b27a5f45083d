"""What a run to hand on must not tell: people, hosts, folders, cards, addresses, keys.

Two sieves. What is known to be private by its field (settings that are paths, the command, a card's UUID) is taken out;
then every text is searched for what gives somebody away, wherever it stands.
"""

from __future__ import annotations

import contextlib
import getpass
import re
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from trtbench.comparison.clean_text import safe
from trtbench.model import workload
from trtbench.records import judgement, run, telemetry, trial
from trtbench.records.checking import TEXT
from trtbench.settings.knobs import ROWS
from trtbench.settings.lanes import LANES

# Digests and identifiers of public things; what looks like a container's id elsewhere is taken out.
_DIGESTS = {
    *("checksum", "digest", "prompts_digest", "workload_digest", "model_digest", "machine", "git_commit", "revision"),
    *("MODEL_REVISION", "originals", "model"),
}
_FIXED = {
    "kind",
    "lane",
    "precision",
    "part",
    "created",
    "started",
    "id",
    "run",
    "lanes",
    "headline",
    "LANES",
    "HEADLINE",
    "level",
    "schema",
    "base",
    "candidates",
    "rule",
    "quiet",
    "venv",
    "program",
}
_RUNTIMES = {row.runtime for row in LANES.values()}
# Names of fields are ours, whatever people are called.
_KEYS = set(ROWS).union(
    *(
        kind.__struct_fields__
        for records in (trial, run, telemetry, judgement, workload)
        for kind in vars(records).values()
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct)
    )
)
_COMMON = {
    *LANES,
    "root",
    "user",
    "users",
    "docker",
    "localhost",
    "linux",
    "runner",
    "ubuntu",
    "debian",
    "demo",
    "smollm2",
    "tinyllama",
    "llama7b",
}

_PATH = re.compile(
    r"(?<![\w.:/\\])(?:~(?=/)|/(?!/)[^\s'\",;:()\[\]<>|/]+(?=/))(?:/[^\s'\",;:()\[\]<>|]*)?"  # /home/x/y, ~/x
    r"|(?<!\w)[A-Za-z]:\\[^\s'\",;()\[\]<>|]*"  # C:\Users\x
    r"|\\\\[^\s'\",;()\[\]<>|]+"  # \\server\share
)
# Bounded where a text could hold them off to its end, from each of its letters anew.
_PATTERNS = (
    (re.compile(r"\b(?:hf|nvapi|ghp|gho|ghs|github_pat|glpat|sk|xox[abps])[_-][A-Za-z0-9_-]{8,}"), "[token]"),
    (re.compile(r"(?i)\b(?:bearer|token|password|passwd|secret|api[_-]?key)\b\s*[=: ]\s*[^\s,;'\"]{4,}"), "[token]"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"), "[token]"),
    (re.compile(r"\b[a-z][a-z0-9+.-]{0,40}://[^\s'\"<>]+", re.I), "[address]"),
    (re.compile(r"[\w.+-]{1,256}@[\w-]+(?:\.[\w-]+)*"), "[address]"),
    (re.compile(r"(?i)(?<![\w-])(?:(?:GPU|MIG)-)?[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![\w-])"), "[id]"),
    (re.compile(r"(?i)\b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b"), "[address]"),
    (re.compile(r"(?i)(?<![\w:])(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}(?![\w:])"), "[address]"),
    (re.compile(r"(?i)(?<![\w:])(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){0,6})?::(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4})*)?(?![\w:])"), "[address]"),
    (re.compile(r"(?<![\w.])(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}(?![\w.])"), "[address]"),
)  # fmt: skip
_CONTAINER = re.compile(r"(?<![\w])(?=[0-9a-f]*\d)(?:[0-9a-f]{64}|[0-9a-f]{12})(?![\w])")
_HOME = re.compile(r"(?:/home/|/Users/|[A-Za-z]:\\+Users\\+|/run/user/|/var/home/)([^/\\\s'\",;:]+)")
_MARKUP = re.compile(r"<(?=[A-Za-z/!?])")
_VERSIONS = {
    "libraries",
    "versions",
    "announced",
    "runtime_version",
    "python",
    "driver",
    "cuda",
    "kernel",
}  # 1.2.3.4 is no address


TAKEN_OUT = re.compile(r"\[(?:address|id|name|path|token)\]")  # what stands in a text for what was taken out of it


class Sieve:
    """Takes out of any text what would tell who, where or with which card. `names` are people and hosts."""

    def __init__(self, names: Iterable[str]) -> None:
        telling = {name for name in names if len(name) > 2 and name.lower() not in _COMMON and not name.isdigit()}
        longest_first = sorted(telling, key=lambda name: (-len(name), name))
        self.names = re.compile(
            "|".join(
                rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])(?:\.[A-Za-z][\w-]*)*" for name in longest_first
            )
            or r"(?!)",
            re.I,
        )
        self.cards: dict[str, str] = {}

    def value(self, value: Any, field: str = "") -> Any:
        """`value` (JSON) with all of its texts sieved, keys too."""
        if isinstance(value, str):
            return self.text(value, field)
        if isinstance(value, list):
            return value if value and isinstance(value[0], int) else [self.value(part, field) for part in value]
        if isinstance(value, dict) and field == "model" and "config_text" in value:
            return self._model(value)
        if isinstance(value, dict):
            inside = {key: field if field in _VERSIONS or field == "config" else key for key in value}
            return {
                key if key in _KEYS else self.text(key, "a key"): self.value(part, inside[key])
                for key, part in value.items()
            }
        return value

    def _model(self, model: dict[str, Any]) -> dict[str, Any]:
        """A model's description. The text of its config.json goes out whole where anything would be taken out of it or of its
        files' names: cut, it would fit no digest."""
        text, files = model["config_text"], model.get("files")
        others = self.value(
            {name: part for name, part in model.items() if name not in ("config_text", "files")}, "model"
        )
        harmless = others["config"] == model["config"] and all(self.text(name, "a key") == name for name in files or {})
        lines = text.replace("\r", "\n").replace("\t", "\n").split("\n") if text is not None else []
        harmless = harmless and all(self.text(line, "config") == line for line in lines)
        digests = all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in (files or {}).values())
        if not (harmless and digests):
            text = files = None
        return {**others, "config_text": text, "files": files}

    def text(self, text: str, field: str) -> str:
        """`text` as it may be handed on; `field` is the name of the field that it stands in."""
        if field in _FIXED:
            return text
        if field == "uuid":
            return self.cards.setdefault(text, f"GPU-{len(self.cards)}")
        if field in ROWS and ROWS[field].kind == "path":
            return "[path]" if text else ""
        if field in ("MODEL_NAME", "name") and text[:1] in ("/", "~", "."):
            return "[path]"
        if field in _DIGESTS and re.fullmatch(r"[0-9a-f]{7,64}(\+changes)?", text):
            return text
        if len(text) > TEXT:
            text = (
                f"{text[:TEXT].rpartition(' ')[0][: TEXT - 8]} [cut]"  # nobody reads more; no word is cut in the middle
            )
        sieved = _PATH.sub("[path]", safe(text))
        # No person and no host is in what a processor calls itself, and a machine's name is made of it.
        if field != "cpu_model" and not (field == "runtime" and text in _RUNTIMES):
            sieved = self.names.sub("[name]", sieved)
        for pattern, instead in _PATTERNS:
            if field not in _VERSIONS or "address" not in instead:
                sieved = pattern.sub(instead, sieved)
        return _MARKUP.sub("‹", _CONTAINER.sub("[id]", sieved))[:TEXT]


def names_here() -> list[str]:
    """The names of this machine and of who is working on it, as far as the system tells."""
    names = [socket.gethostname(), socket.gethostname().partition(".")[0], Path.home().name]
    with contextlib.suppress(OSError, KeyError, ImportError):  # no name for this user id, as with docker run --user
        names.append(getpass.getuser())
    return names


def names_in(data: bytes) -> list[str]:
    """People who are named by a home folder anywhere in these records."""
    return sorted(set(_HOME.findall(data.decode("utf-8", "replace"))))
