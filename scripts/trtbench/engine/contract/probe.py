"""Ask the installed TensorRT-LLM whether it agrees with the contract: the tools' --help and the classes' fields.

It is done before anything is downloaded. Every difference is listed in DATA_DIR/engines/contract_probe.json, and one in
what is used stops the build with a sentence.
"""

from __future__ import annotations

import concurrent.futures
import datetime
import hashlib
import importlib.util
import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from trtbench.engine import tools
from trtbench.engine.contract import PATH, command, load, tool_path, version
from trtbench.engine.contract.comparing import LIMIT, Difference, compare_classes, compare_tool
from trtbench.errors import UserError
from trtbench.records.files import encode, read_as, write_whole

PROBE = "contract_probe.json"
ENGINE_CLASSES = (
    "tensorrt_llm._tensorrt_engine.LLM",
    "tensorrt_llm.llmapi.KvCacheConfig",
    "tensorrt_llm.llmapi.ExtendedRuntimePerfKnobConfig",
    "tensorrt_llm.SamplingParams",
)
# What the lane tensorrt-pytorch uses, which runs in images that build no engines too.
PYTORCH_CLASSES = (
    "tensorrt_llm.LLM",
    "tensorrt_llm.llmapi.CudaGraphConfig",
    "tensorrt_llm.llmapi.KvCacheConfig",
    "tensorrt_llm.SamplingParams",
)


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
        stat = path.stat() if path else None
        parts.append([str(path), stat.st_size, stat.st_mtime_ns] if stat else None)
    parts += [version(name) for name in ("tensorrt_llm", "tensorrt", "transformers")]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def probe(examples: Path, data: Path, say: Callable[[str], None], needed: Iterable[str] | None = None) -> Probe:
    """Ask the installed TensorRT-LLM, unless the answer of this very environment is in DATA_DIR/engines already. `needed` are the
    tools and classes that can be used here; all where it is left out."""
    file, stamp = data / "engines" / PROBE, _stamp(examples)
    if file.is_file():
        try:
            previous = read_as(Probe, file)
        except UserError:
            previous = None  # of an older version of this program: asked again
        if previous is not None and previous.stamp == stamp:
            return previous
    say("asking TensorRT-LLM whether it is as docs/tensorrt-contract.md says (once)")
    began = time.monotonic()
    env = tools.environment(data / "cache", examples)
    help_commands = dict(_help_commands(examples))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        answers = dict(
            zip(help_commands, pool.map(lambda words: tools.captured(words, env, LIMIT), help_commands.values()))
        )
    classes_command = [sys.executable, "-m", "trtbench.engine.contract.classes", str(PATH)]
    class_differences, versions, simulated = compare_classes(*tools.captured(classes_command, env, LIMIT))
    differences = [
        d for tool, (status, text) in answers.items() for d in compare_tool(tool, status, text)
    ] + class_differences
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
    answer = Probe(
        schema=1,
        created=datetime.datetime.now(datetime.timezone.utc).isoformat(),
        seconds=round(time.monotonic() - began, 1),
        stamp=stamp,
        expected=load()["release"]["tensorrt_llm"],
        versions=versions,
        simulated=simulated,
        asked=[*help_commands, *(name for name, entry in load()["python"].items() if entry["kind"] != "result")],
        differences=differences,
    )
    write_whole(file, encode(answer))
    say(summary(answer, file, needed))
    return answer


def tell_pytorch_runtime(examples: Path, data: Path, say: Callable[[str], None]) -> None:
    """Where no engines are built: say what of TensorRT-LLM's PyTorch runtime is not as the contract says. Nothing is refused, for
    the lane itself finds out whether it runs."""
    answer = probe(examples, data, say, PYTORCH_CLASSES)
    changed = answer.blocking(PYTORCH_CLASSES)
    if changed:
        say(f"tensorrt-pytorch may not run in TensorRT-LLM {answer.tensorrt_llm}: {_complaints(changed)}")


def summary(answer: Probe, file: Path, needed: Iterable[str] | None = None) -> str:
    """One line about the probe."""
    head = (
        f"TensorRT-LLM {answer.tensorrt_llm}: {len(answer.asked)} tools and classes asked in {answer.seconds:.0f} s, "
    )
    if not answer.differences:
        return head + "no difference from the contract"
    used = sum(d.used for d in answer.differences) if needed is None else len(answer.blocking(needed))
    return head + f"{len(answer.differences)} differences from the contract, {used} in what is used ({file})"


def refuse(answer: Probe, needed: Iterable[str], file: Path) -> None:
    """Raise UserError when something that is used of `needed` is not as the contract says."""
    blocking = answer.blocking(needed)
    if not blocking:
        return
    raise UserError(
        f"TensorRT-LLM {answer.tensorrt_llm} is not what this program needs: {_complaints(blocking)}. Use {load()['release']['image']}; "
        f"{file} lists every difference."
    )


def _complaints(differences: list[Difference]) -> str:
    return "; ".join(_in_words(d) for d in differences[:3]) + ("; …" if len(differences) > 3 else "")


def _in_words(difference: Difference) -> str:
    if difference.what == "unusable":
        return f"{difference.where} {difference.name}"
    if difference.what == "choices":
        return f"{difference.where} {difference.name} does not take {', '.join(difference.expected)}"
    return f"{difference.where} has no {difference.name}"


def _help_commands(examples: Path) -> Iterable[tuple[str, list[str]]]:
    for tool, entry in load()["tools"].items():
        if tool_path(tool, examples) is None:
            continue
        words = command(tool, examples)
        yield tool, [*words, "--help"]
        for name, sub in entry.get("subcommands", {}).items():
            if sub.get("used"):
                yield f"{tool} {name}", [*words, "--model", "any/name", name, "--help"]
