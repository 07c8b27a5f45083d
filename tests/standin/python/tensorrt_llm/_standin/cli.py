"""Command lines from the contract: argparse for NVIDIA's scripts, click's shape for trtllm-bench."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, NoReturn

from tensorrt_llm._standin.contract import tool

_KINDS: dict[str, Any] = {"str": str, "int": int, "float": float, "path": str}


def _enum_of(names: list[str]) -> Any:
    """A type that takes a name in any case; its own name shows in argparse's message as in the real tool's."""

    def parse_enum(value: str) -> str:
        if value.lower() not in names:
            raise ValueError(value)
        return value.upper()

    return parse_enum


def argparse_parser(name: str, prog: str | None = None) -> argparse.ArgumentParser:
    """Build a tool's parser: the contract's flags, types, defaults, choices and groups."""
    entry = tool(name)
    shows_defaults = entry["help_formatter"] == "defaults"
    formatter = argparse.ArgumentDefaultsHelpFormatter if shows_defaults else argparse.HelpFormatter
    parser = argparse.ArgumentParser(prog=prog, formatter_class=formatter)
    groups: dict[str, Any] = {}
    for flag, row in entry["flags"].items():
        title = row.get("group")
        if title and title not in groups:
            groups[title] = parser.add_argument_group(title)
        target = groups[title] if title else parser
        default = argparse.SUPPRESS if row["default"] == argparse.SUPPRESS else row["default"]
        options: dict[str, Any] = {"default": default, "help": f"stand-in for {flag}"}
        if row.get("action") == "store_true":
            options["action"] = "store_true"
        else:
            names = row.get("choices_checked_by_type")
            options["type"] = _enum_of(names) if names else _KINDS[row["type"]]
            for key in ("choices", "nargs", "const"):
                if key in row:
                    options[key] = row[key]
            if "help_repeats" in row:
                options["choices"] = [*row["choices"], row["help_repeats"]]
        target.add_argument(flag, *row.get("aliases", []), **options)
    return parser


class ClickCommand:
    """A command that parses, complains and helps as click does."""

    def __init__(self, usage: str, flags: dict[str, dict[str, Any]], commands: dict[str, str] | None = None) -> None:
        self.usage = usage
        self.flags = flags
        self.commands = commands or {}

    def parse(self, words: list[str]) -> tuple[dict[str, Any], list[str]]:
        """Return the options' values by name and, for a group, the words from the subcommand on."""
        spelled = {name: flag for flag, row in self.flags.items() for name in (flag, *row.get("aliases", []))}
        values = {flag.lstrip("-"): row["default"] for flag, row in self.flags.items()}
        given: set[str] = set()
        words = list(words)
        while words and words[0].startswith("-"):
            name, joined, value = words.pop(0).partition("=")
            if name == "--help":
                print(self.help())
                sys.exit(0)
            if name not in spelled:
                self.fail(f"No such option: {name}")
            if not joined and not words:
                self.fail(f"Option '{name}' requires an argument.")
            flag = spelled[name]
            values[flag.lstrip("-")] = self._convert(flag, value if joined else words.pop(0))
            given.add(flag)
        for flag, row in self.flags.items():
            if row.get("required") and flag not in given:
                self.fail(f"Missing option '{flag}'{''.join(f' / {alias!r}' for alias in row.get('aliases', []))}.")
        if self.commands and (not words or words[0] not in self.commands):
            self.fail(f"No such command '{words[0]}'." if words else "Missing command.")
        if not self.commands and words:
            self.fail(f"Got unexpected extra argument ({words[0]})")
        return values, words

    def _convert(self, flag: str, text: str) -> Any:
        row = self.flags[flag]
        if "choices" in row and text not in row["choices"]:
            wanted = ", ".join(repr(choice) for choice in row["choices"])
            self.fail(f"Invalid value for '{flag}': '{text}' is not one of {wanted}.")
        if row.get("exists") and not Path(text).exists():
            self.fail(f"Invalid value for '{flag}': Path '{text}' does not exist.")
        try:
            return _KINDS[row["type"]](text)
        except ValueError:
            kind = {"int": "integer", "float": "float"}[row["type"]]
            self.fail(f"Invalid value for '{flag}': '{text}' is not a valid {kind}.")

    def fail(self, message: str) -> NoReturn:
        """Print the usage and the error on standard error and exit 2."""
        print(
            f"Usage: {self.usage}\nTry '{self.usage.split(' [')[0]} --help' for help.\n\nError: {message}",
            file=sys.stderr,
        )
        sys.exit(2)

    def help(self) -> str:
        """Return the help text."""
        metavars = {"str": "TEXT", "int": "INTEGER", "float": "FLOAT", "path": "PATH"}
        lines = [f"Usage: {self.usage}", "", "Options:"]
        for flag, row in self.flags.items():
            spelled = ", ".join([*row.get("aliases", []), flag])
            kind = f"[{'|'.join(row['choices'])}]" if "choices" in row else metavars[row["type"]]
            default = f"  [default: {row['default']}]" if row["default"] is not None else ""
            lines.append(
                f"  {spelled} {kind}  stand-in for {flag}{default}{'  [required]' * bool(row.get('required'))}"
            )
        lines.append("  --help  Show this message and exit.")
        if self.commands:
            lines += ["", "Commands:", *(f"  {name}  {text}" for name, text in self.commands.items())]
        return "\n".join(lines)
