"""Hold what the installed TensorRT-LLM answers against the contract: a tool's --help, the classes' fields."""

from __future__ import annotations

import functools
import json
from typing import Any

import msgspec

from trtbench.engine import known_failures
from trtbench.engine.contract import load
from trtbench.engine.contract.help_text import flags_in

LIMIT = 300.0  # seconds for one tool to answer --help


class Difference(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One thing that is not as the contract says. `what`: unusable, missing, new, choices, default or version."""

    where: str
    what: str
    name: str
    expected: Any = None
    found: Any = None
    used: bool = False


def _entry(tool: str) -> dict[str, Any]:
    """The contract's part about a tool or, written with a space, about its subcommand."""
    name, _, sub = tool.partition(" ")
    entry: dict[str, Any] = load()["tools"][name]
    return {**entry["subcommands"][sub], "optional": entry.get("optional")} if sub else entry


def compare_tool(tool: str, status: int | None, text: str) -> list[Difference]:
    """Compare a tool's help with the contract."""
    entry = _entry(tool)
    needed = not entry.get("optional", False)
    if status != 0:
        cause = known_failures.cause(text, with_remedy=True)
        ending = f"did not answer within {LIMIT:.0f} s" if status is None else f"--help ends with status {status}"
        return [Difference(where=tool, what="unusable", name=f"{ending} ({cause})", found=status, used=needed)]
    help_flags = flags_in(text)
    differences = []
    for flag, row in entry["flags"].items():
        used = needed and bool(row.get("used"))
        if flag not in help_flags:
            differences.append(Difference(where=tool, what="missing", name=flag, used=used))
            continue
        shown, choices = help_flags[flag], [str(value) for value in row["choices"]] if "choices" in row else None
        if choices is not None and shown.choices is not None and set(choices) != set(shown.choices):
            refused = [value for value in _values_passed(flag) if value in choices and value not in shown.choices]
            differences.append(
                Difference(
                    where=tool,
                    what="choices",
                    name=flag,
                    expected=refused or choices,
                    found=shown.choices,
                    used=used and bool(refused),
                )
            )
        if (
            shown.default is not None
            and row.get("default") != "==SUPPRESS=="
            and shown.default != str(row.get("default"))
        ):
            differences.append(
                Difference(where=tool, what="default", name=flag, expected=row.get("default"), found=shown.default)
            )
    known_flags = {*entry["flags"], *(a for row in entry["flags"].values() for a in row.get("aliases", [])), "--help"}
    differences += [Difference(where=tool, what="new", name=flag) for flag in help_flags if flag not in known_flags]
    return differences


@functools.cache
def _values_passed(flag: str) -> tuple[str, ...]:
    """Values that this program passes for a flag with choices."""
    values = {
        "--multiple_profiles": ["enable", "disable"],
        "--log_level": ["info"],
        "--backend": ["tensorrt"],
        "--device": ["cuda"],
    }
    passed = list(values.get(flag, []))
    for row in load()["precisions"].values():
        words = row["flags"]
        passed += [value for name, value in zip(words, words[1:]) if name == flag]
        if flag == "--gemm_plugin":
            passed.append(row["gemm_plugin"])
    return tuple(dict.fromkeys(passed))


def compare_classes(status: int | None, text: str) -> tuple[list[Difference], dict[str, str], bool]:
    """Compare the classes with the contract; also the versions, and whether this is the stand-in for tests."""
    lines = text.splitlines()
    try:
        answer = json.loads(lines[-1]) if status == 0 else None
    except (ValueError, IndexError):
        answer = None
    if answer is None:
        cause = known_failures.cause(text, with_remedy=True)
        class_names = [name for name, entry in load()["python"].items() if entry["kind"] != "result"]
        return (
            [
                Difference(where=name, what="unusable", name=f"cannot be imported ({cause})", used=True)
                for name in class_names
            ],
            {},
            False,
        )
    differences = []
    for name, entry in load()["python"].items():
        if entry["kind"] == "result":
            continue
        installed = answer["classes"][name]
        if "error" in installed:
            differences.append(
                Difference(where=name, what="unusable", name=f"is not there ({installed['error']})", used=True)
            )
            continue
        for field, row in entry["fields"].items():
            if field not in installed["fields"] and field not in installed.get("positional", []):
                differences.append(Difference(where=name, what="missing", name=field, used=bool(row.get("used"))))
            elif (
                field in installed["fields"] and _plain(row["default"]) and installed["fields"][field] != row["default"]
            ):
                differences.append(
                    Difference(
                        where=name,
                        what="default",
                        name=field,
                        expected=row["default"],
                        found=installed["fields"][field],
                    )
                )
        uncertain = entry.get("uncertain_fields", [])
        differences += [
            Difference(where=name, what="new", name=field)
            for field in installed["fields"]
            if field not in entry["fields"] and field not in uncertain
        ]
    versions = {name: answer[name] for name in ("tensorrt_llm", "tensorrt", "transformers", "python") if name in answer}
    return differences, versions, bool(answer["simulated"])


def _plain(default: Any) -> bool:
    """Whether a default can be compared: a factory's product cannot."""
    return default != "factory" and not isinstance(default, (dict, list))
