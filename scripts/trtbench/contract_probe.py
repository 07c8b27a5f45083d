"""Ask the installed TensorRT-LLM whether it agrees with the contract: the tools' --help and the classes' fields.

It is done before anything is downloaded. Every difference is listed in DATA_DIR/engines/contract_probe.json, and one in
what is used stops the build with a sentence.
"""

from __future__ import annotations

import concurrent.futures
import datetime
import functools
import hashlib
import importlib.util
import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from trtbench import engine_steps, symptoms
from trtbench.contract import PATH, command, load, tool_path, version
from trtbench.contract_help import flags_in
from trtbench.errors import UserError
from trtbench.records import encode, read_as, write_whole

PROBE = "contract_probe.json"
LIMIT = 300.0  # seconds for one tool to answer --help
ENGINE_CLASSES = (
    "tensorrt_llm._tensorrt_engine.LLM",
    "tensorrt_llm.llmapi.KvCacheConfig",
    "tensorrt_llm.llmapi.ExtendedRuntimePerfKnobConfig",
    "tensorrt_llm.SamplingParams",
)


class Difference(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One thing that is not as the contract says. `what`: unusable, missing, new, choices, default or version."""

    where: str
    what: str
    name: str
    expected: Any = None
    found: Any = None
    used: bool = False


class Probe(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The answer of one environment. `stamp` tells whether it is still the same one."""

    schema: int
    created: str
    seconds: float
    stamp: str
    expected: str
    versions: dict[str, str]
    simulated: bool
    asked: list[str]
    differences: list[Difference]

    @property
    def tensorrt_llm(self) -> str:
        return self.versions.get("tensorrt_llm", "unknown")

    @property
    def tensorrt(self) -> str:
        return self.versions.get("tensorrt", "unknown")

    def blocking(self, needed: Iterable[str]) -> list[Difference]:
        """Differences in what this program uses of `needed` (names of tools and classes)."""
        names = set(needed)
        return [d for d in self.differences if d.used and d.where in names]


def _stamp(examples: Path) -> str:
    """Changes when another release, another contract or other scripts stand there."""
    parts: list[Any] = [hashlib.sha256(PATH.read_bytes()).hexdigest(), sys.version]
    spec = importlib.util.find_spec("tensorrt_llm")
    paths = [tool_path(tool, examples) for tool in load()["tools"]]
    paths.append(Path(spec.origin) if spec and spec.origin else None)
    for path in paths:
        look = path.stat() if path else None
        parts.append([str(path), look.st_size, look.st_mtime_ns] if look else None)
    parts += [version(name) for name in ("tensorrt_llm", "tensorrt", "transformers")]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def probe(examples: Path, data: Path, say: Callable[[str], None]) -> Probe:
    """Ask the installed TensorRT-LLM, unless the answer of this very environment is in DATA_DIR/engines already."""
    file, stamp = data / "engines" / PROBE, _stamp(examples)
    if file.is_file():
        try:
            known = read_as(Probe, file)
        except UserError:
            known = None  # of an older version of this program: asked again
        if known is not None and known.stamp == stamp:
            return known
    say("asking TensorRT-LLM whether it is as docs/tensorrt-contract.md says (once)")
    began = time.monotonic()
    env = engine_steps.environment(data / "cache")
    tools = dict(_help_commands(examples))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        answers = dict(zip(tools, pool.map(lambda words: engine_steps.captured(words, env, LIMIT), tools.values())))
    names = [sys.executable, "-m", "trtbench.contract_classes", str(PATH)]
    found, versions, simulated = _classes(*engine_steps.captured(names, env, LIMIT))
    differences = [d for tool, (status, text) in answers.items() for d in _tool(tool, status, text)] + found
    differences += [
        Difference(
            where=tool, what="unusable", name="is not here", used=not load()["tools"][tool].get("optional", False)
        )
        for tool in load()["tools"]
        if tool_path(tool, examples) is None
    ]
    if versions.get("tensorrt_llm") != load()["release"]["tensorrt_llm"]:
        differences.append(
            Difference(
                where="release",
                what="version",
                name="tensorrt_llm",
                expected=load()["release"]["tensorrt_llm"],
                found=versions.get("tensorrt_llm"),
            )
        )
    made = Probe(
        schema=1,
        created=datetime.datetime.now(datetime.timezone.utc).isoformat(),
        seconds=round(time.monotonic() - began, 1),
        stamp=stamp,
        expected=load()["release"]["tensorrt_llm"],
        versions=versions,
        simulated=simulated,
        asked=[*tools, *(name for name, entry in load()["python"].items() if entry["kind"] != "result")],
        differences=differences,
    )
    write_whole(file, encode(made))
    say(summary(made, file))
    return made


def summary(found: Probe, file: Path) -> str:
    """One line about the probe."""
    what = f"TensorRT-LLM {found.tensorrt_llm}: {len(found.asked)} tools and classes asked in {found.seconds:.0f} s, "
    if not found.differences:
        return what + "no difference from the contract"
    used = sum(d.used for d in found.differences)
    return what + f"{len(found.differences)} differences from the contract, {used} in what is used ({file})"


def refuse(found: Probe, needed: Iterable[str], file: Path) -> None:
    """Raise UserError when something that is used of `needed` is not as the contract says."""
    blocking = found.blocking(needed)
    if not blocking:
        return
    said = "; ".join(_said(d) for d in blocking[:3]) + ("; …" if len(blocking) > 3 else "")
    raise UserError(
        f"TensorRT-LLM {found.tensorrt_llm} is not what this program needs: {said}. Use {load()['release']['image']}; "
        f"{file} lists every difference."
    )


def _said(d: Difference) -> str:
    if d.what == "unusable":
        return f"{d.where} {d.name}"
    if d.what == "choices":
        return f"{d.where} {d.name} does not take {', '.join(d.expected)}"
    return f"{d.where} has no {d.name}"


def _help_commands(examples: Path) -> Iterable[tuple[str, list[str]]]:
    for tool, entry in load()["tools"].items():
        if tool_path(tool, examples) is None:
            continue
        words = command(tool, examples)
        yield tool, [*words, "--help"]
        for name, sub in entry.get("subcommands", {}).items():
            if sub.get("used"):
                yield f"{tool} {name}", [*words, "--model", "any/name", name, "--help"]


def _entry(tool: str) -> dict[str, Any]:
    """The contract's part about a tool or, written with a space, about its subcommand."""
    name, _, sub = tool.partition(" ")
    entry: dict[str, Any] = load()["tools"][name]
    return {**entry["subcommands"][sub], "optional": entry.get("optional")} if sub else entry


def _tool(tool: str, status: int | None, text: str) -> list[Difference]:
    """Compare a tool's help with the contract."""
    entry = _entry(tool)
    needed = not entry.get("optional", False)
    if status != 0:
        why = _why(text)
        how = f"did not answer within {LIMIT:.0f} s" if status is None else f"--help ends with status {status}"
        return [Difference(where=tool, what="unusable", name=f"{how} ({why})", found=status, used=needed)]
    said = flags_in(text)
    differences = []
    for flag, row in entry["flags"].items():
        used = needed and bool(row.get("used"))
        if flag not in said:
            differences.append(Difference(where=tool, what="missing", name=flag, used=used))
            continue
        have, choices = said[flag], [str(value) for value in row["choices"]] if "choices" in row else None
        if choices is not None and have.choices is not None and set(choices) != set(have.choices):
            lost = [value for value in _passed(flag) if value in choices and value not in have.choices]
            differences.append(
                Difference(
                    where=tool,
                    what="choices",
                    name=flag,
                    expected=lost or choices,
                    found=have.choices,
                    used=used and bool(lost),
                )
            )
        if (
            have.default is not None
            and row.get("default") != "==SUPPRESS=="
            and have.default != str(row.get("default"))
        ):
            differences.append(
                Difference(where=tool, what="default", name=flag, expected=row.get("default"), found=have.default)
            )
    known = {*entry["flags"], *(a for row in entry["flags"].values() for a in row.get("aliases", [])), "--help"}
    differences += [Difference(where=tool, what="new", name=flag) for flag in said if flag not in known]
    return differences


def _why(text: str) -> str:
    """What a tool's output says about its failure."""
    found = symptoms.explain(text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f"{found.reason}: {found.remedy}" if found else (lines[-1][:200] if lines else "it said nothing")


@functools.cache
def _passed(flag: str) -> tuple[str, ...]:
    """Values that this program passes for a flag with choices."""
    values = {
        "--multiple_profiles": ["enable"],
        "--log_level": ["info"],
        "--backend": ["tensorrt"],
        "--device": ["cuda"],
    }
    found = list(values.get(flag, []))
    for row in load()["precisions"].values():
        words = row["flags"]
        found += [value for name, value in zip(words, words[1:]) if name == flag]
        if flag == "--gemm_plugin":
            found.append(row["gemm_plugin"])
    return tuple(dict.fromkeys(found))


def _classes(status: int | None, text: str) -> tuple[list[Difference], dict[str, str], bool]:
    """Compare the classes with the contract; also the versions, and whether this is the stand-in for tests."""
    lines = text.splitlines()
    try:
        answer = json.loads(lines[-1]) if status == 0 else None
    except (ValueError, IndexError):
        answer = None
    if answer is None:
        why = _why(text)
        where = [name for name, entry in load()["python"].items() if entry["kind"] != "result"]
        return (
            [Difference(where=name, what="unusable", name=f"cannot be imported ({why})", used=True) for name in where],
            {},
            False,
        )
    differences = []
    for name, entry in load()["python"].items():
        if entry["kind"] == "result":
            continue
        have = answer["classes"][name]
        if "error" in have:
            differences.append(
                Difference(where=name, what="unusable", name=f"is not there ({have['error']})", used=True)
            )
            continue
        for field, row in entry["fields"].items():
            if field not in have["fields"] and field not in have.get("positional", []):
                differences.append(Difference(where=name, what="missing", name=field, used=bool(row.get("used"))))
            elif field in have["fields"] and _plain(row["default"]) and have["fields"][field] != row["default"]:
                differences.append(
                    Difference(
                        where=name, what="default", name=field, expected=row["default"], found=have["fields"][field]
                    )
                )
        uncertain = entry.get("uncertain_fields", [])
        differences += [
            Difference(where=name, what="new", name=field)
            for field in have["fields"]
            if field not in entry["fields"] and field not in uncertain
        ]
    versions = {name: answer[name] for name in ("tensorrt_llm", "tensorrt", "transformers", "python") if name in answer}
    return differences, versions, bool(answer["simulated"])


def _plain(default: Any) -> bool:
    """Whether a default can be compared: a factory's product cannot."""
    return default != "factory" and not isinstance(default, (dict, list))
