"""Reading the settings: flags, environment and file, with one sentence for whatever is wrong.

Standard library only and Python 3.8 syntax, like knobs.py: the doctor reads them before anything is installed."""

from __future__ import annotations

import argparse
import difflib
import os
import re
from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from trtbench import __version__
from trtbench.errors import UserError
from trtbench.settings import env_file
from trtbench.settings.knobs import (
    ALIASES,
    COMPOSE_NAMES,
    DEFAULTS,
    ENGINE_NAMES,
    NETWORK_NAMES,
    ROOT,
    ROWS,
    Row,
    Settings,
    defaults_of,
)


def parse(name: str, text: str) -> Any:
    """Read one value of the setting `name`, or of one by an old name; a UserError names it as it was typed, the value and
    what would be right."""
    row = ROWS[ALIASES.get(name, name)]
    if row.many:
        parts = [part.strip() for part in text.split(",")]
        values = [_parse_one(name, row, part, text) for part in parts]
        if len(set(values)) != len(values):
            raise UserError(f"{name}={text!r} names the same value twice; each may stand once.")
        return tuple(values)
    return _parse_one(name, row, text.strip(), text)


def _parse_one(name: str, row: Row, part: str, whole: str) -> Any:
    def refuse() -> NoReturn:
        given = "…" if row.secret else repr(whole)
        raise UserError(f"{name}={given} is not valid: it takes {row.wanted()}.")

    if "\0" in part or "\n" in part:
        refuse()
    if row.kind == "trials":
        if part.lower() == "auto":
            return 0
        number = _number(part, int)
        if number is None or not 1 <= number <= 1000:
            refuse()
        return number
    if row.kind in ("int", "float"):
        number = _number(part, int if row.kind == "int" else float)
        assert row.low is not None and row.high is not None
        # NaN is in no range.
        if number is None or not row.low <= number <= row.high or (row.above_low and number == row.low):
            refuse()
        return number
    if row.kind == "switch":
        word = part.lower()
        if word not in ("1", "0", "true", "false", "yes", "no", "on", "off"):
            refuse()
        return word in ("1", "true", "yes", "on")
    if row.kind == "choice":
        choice = row.choice(part)
        if choice is None:
            refuse()
        return choice
    if row.many and not part:
        refuse()
    return part.lower() if row.lower else part


def _number(text: str, kind: Callable[[str], float]) -> Any:
    # int() and float() take "1_000" and digits of other scripts; a settings file should not.
    if not text.isascii() or "_" in text:
        return None
    try:
        return kind(text)
    except ValueError:
        return None


def read_file(path: Path, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Read a `.env` file: NAME=value lines, comments, optional quotes. Variables are those of the environment, else those that
    stand further up, as Compose has it. Unknown names are refused."""
    values: dict[str, str] = {}
    variables = ChainMap(dict(os.environ if environment is None else environment), values)
    for line in env_file.lines(path):
        if line.value is None:
            raise UserError(f"{path}, line {line.number} is not NAME=value.")  # the line may be a secret
        if line.name not in (*ROWS, *ALIASES, *COMPOSE_NAMES, *NETWORK_NAMES, *ENGINE_NAMES):
            raise UserError(f"{path}, line {line.number}: {line.name} is not a setting{_nearest(line.name)}")
        values[line.name] = _expanded_line(path, line, variables)
    return values


def _expanded_line(path: Path, line: env_file.Line, variables: Mapping[str, str]) -> str:
    assert line.value is not None
    try:
        text = line.value if line.literal else env_file.expanded(line.value, variables)
        return _at_home(text, variables) if _is_place(line.name) else text
    except env_file.NotExpandable as error:
        # The rest of a password may look like a variable.
        shown = ROWS.get(line.name) is not None and not ROWS[line.name].secret
        reason = str(error) if shown else error.discreet
        raise UserError(
            f"{path}, line {line.number}: {line.name} {reason}; mend it, or put the value into single quotes where the dollar sign is "
            "part of it."
        ) from None
    except LookupError as error:
        raise UserError(f"{path}, line {line.number}: {_no_home(line.name, line.value, error)}") from None


def _is_place(spelling: str) -> bool:
    """Whether a setting's value is, or may be, a place on the disk."""
    row = ROWS.get(ALIASES.get(spelling, spelling))
    return row is not None and (row.kind == "path" or row.place)


def _place(name: str, text: str, variables: Mapping[str, str]) -> str:
    """A path of any layer without its ~. A dollar sign is what it is: the shell, Compose or `.env` had its turn already. But a
    folder of the name of a variable is never meant."""
    if re.match(r"\s*\$(\{|[A-Za-z_])", text):
        raise UserError(
            f"{name}={text!r} begins with a variable that nobody has expanded: leave its single quotes away; for a folder of that name "
            f"write ./{text.strip()}."
        )
    try:
        return _at_home(text, variables)
    except LookupError as error:
        raise UserError(_no_home(name, text, error)) from None


def _at_home(text: str, variables: Mapping[str, str]) -> str:
    """A path without its ~; a LookupError names the user who has no home here."""
    head, slash, rest = text.strip().partition("/")
    if not head.startswith("~"):
        return text
    home = (variables.get("HOME") if head == "~" else None) or os.path.expanduser(head)
    if home.startswith("~"):
        raise LookupError(head[1:] or "this user")
    return home + slash + rest


def _no_home(name: str, text: str, error: LookupError) -> str:
    return f"{name}={text!r} is in the home of {error.args[0]}, whom this machine does not know; for a folder of that name write ./{text}."


def _nearest(name: str) -> str:
    similar = difflib.get_close_matches(name, [*ROWS, *ALIASES], n=1, cutoff=0.6)
    return f"; did you mean {similar[0]}?" if similar else "; .env.example lists them all."


def _refuse_misspelt(environment: Mapping[str, str]) -> None:
    """Refuse an environment name one edit away from a setting: it would be ignored without a word."""
    setting_names = {*ROWS, *ALIASES}
    for name in environment:
        if name in setting_names or len(name) < 6 or "_" not in name or not environment[name]:
            continue
        for setting in setting_names:
            if abs(len(setting) - len(name)) <= 1 and _one_edit(name, setting):
                raise UserError(f"{name} is set in the environment but is not a setting; did you mean {setting}?")


def _one_edit(a: str, b: str) -> bool:
    if len(a) > len(b):
        a, b = b, a
    start = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), len(a))
    return a[start:] == b[start + 1 :] or (len(a) == len(b) and a[start + 1 :] == b[start + 1 :])


def _merge(
    layer: Mapping[str, str], origin: str, variables: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Values of one layer (environment, file or flags) with the old names translated, and as what each was typed. Paths are
    without their ~, by the HOME of `variables`."""
    values: dict[str, Any] = {}
    spelled: dict[str, str] = {}
    for spelling, name in [(n, n) for n in ROWS] + list(ALIASES.items()):
        text = layer.get(spelling, "")
        if _is_place(spelling):
            text = _place(spelling, text, variables)
        if not text.strip():
            continue
        value = parse(spelling, text)
        if name in values and values[name] != value:
            raise UserError(
                f"the {origin} sets both {spelled[name]} and {spelling}, which are one setting, to different values; keep {name}."
            )
        values[name], spelled[name] = value, spelling
    return values, spelled


class Parser(argparse.ArgumentParser):
    """argparse that answers a mistake with one sentence (UserError) in place of its usage text."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **options)
        self.add_argument("--version", action="version", version=f"trtbench {__version__}")

    def error(self, message: str) -> NoReturn:
        start = "unrecognized arguments: "
        if message.startswith(start):
            unknown = message[len(start) :]
            first = unknown.split()[0].split("=")[0]  # what follows may be a secret
            options = [o for action in self._actions for o in action.option_strings]
            similar = difflib.get_close_matches(first, options, n=1, cutoff=0.6)
            if first in ROWS and "=" in unknown.split()[0]:
                similar = [flag(first)]
            message = f"{first} is not known" + (
                f"; did you mean {similar[0]}?" if similar else "; --help lists what is"
            )
        raise UserError(message if message.endswith("?") else message.rstrip(".") + ".")


def add_flags(parser: argparse.ArgumentParser, only: Sequence[str] | None = None) -> None:
    """Add one flag for every setting that is not secret (`only`: these names)."""
    group = parser.add_argument_group("settings (flag > environment > .env > default)")
    for name, row in ROWS.items():
        if row.secret or (only is not None and name not in only):
            continue
        description = f"{row.help}; {row.wanted()}" if row.kind != "text" else row.help
        help = f"{description} [{name}]".replace("%", "%%")
        group.add_argument(flag(name), dest=name, default=None, metavar="VALUE", help=help)
        for alias in row.aliases:
            group.add_argument(flag(alias), dest=alias, default=None, metavar="VALUE", help=f"old name of {flag(name)}")


def flag(name: str) -> str:
    """`NEW_TOKENS` as it is typed: `--new-tokens`."""
    return "--" + name.lower().replace("_", "-")


def resolve(
    flags: Mapping[str, str | None],
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
    defaults: str = "",
) -> tuple[Settings, dict[str, str]]:
    """Return the settings and, by name, where each came from: flag, environment, file or default. What was given by an old name
    stands there by that one too (`typed`).

    `defaults`: "local" takes those of bench_local.sh, "quick" those of its --quick. Raises UserError for
    unknown names and impossible values.
    """
    environment = os.environ if environment is None else environment
    _refuse_misspelt(environment)
    from_file = read_file(file if file is not None else ROOT / ".env", environment)
    if environment is os.environ:
        os.environ.update(handed_on(from_file))
    layers = [
        ("file", from_file),
        ("environment", environment),
        (
            "flag",
            {name: text for name, text in flags.items() if text is not None and (name in ROWS or name in ALIASES)},
        ),
    ]
    values = defaults_of(defaults)
    sources = dict.fromkeys(values, "default")
    for origin, layer in layers:
        if origin == "flag":
            for spelling in [name for name, text in layer.items() if not text.strip()]:
                name = ALIASES.get(spelling, spelling)
                if DEFAULTS[name] != "":
                    raise UserError(f"{flag(spelling)} is empty: it takes {ROWS[name].wanted()}.")
                values[name], sources[name] = "", origin
        merged, spelled = _merge(layer, origin, environment)
        for name, value in merged.items():
            values[name] = value
            for alias in ROWS[name].aliases:
                sources.pop(alias, None)
            sources[name] = sources[spelled[name]] = origin
    settings = Settings(**{name.lower(): value for name, value in values.items()})
    _check_combinations(settings, sources)
    if environment is os.environ and sources["GPU_INDEX"] != "default":
        _choose_cards(settings.gpu_index, settings.tp_size)
    return settings, sources


def handed_on(from_file: Mapping[str, str]) -> dict[str, str]:
    """What the file has for the environment of libraries and engines, where that does not have it yet."""
    names = (*NETWORK_NAMES, *ENGINE_NAMES)
    return {name: from_file[name] for name in names if from_file.get(name) and not os.environ.get(name)}


def before_flags(name: str) -> Any:
    """One setting as environment and `.env` have it, for what comes before the flags are read; what the file hands on is handed
    on."""
    from_file = read_file(ROOT / ".env")
    os.environ.update(handed_on(from_file))
    for origin, layer in (("environment", os.environ), ("file", from_file)):
        values, _ = _merge(layer, origin, os.environ)
        if name in values:
            return values[name]
    return DEFAULTS[name]


def _choose_cards(index: int, count: int) -> None:
    """Let this process, and all that it starts, see so many cards only, from the one on to which nvidia-smi gives this number."""
    chosen = ",".join(map(str, range(index, index + count)))
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and visible != chosen:
        also = f" with TP_SIZE={count}" if count > 1 else ""
        raise UserError(
            f"GPU_INDEX={index}{also} and CUDA_VISIBLE_DEVICES={visible!r} choose different cards; set one of the two."
        )
    # The number itself, which may have come by a flag or the file, is for the sentence of a machine that has no such card.
    os.environ.update(GPU_INDEX=str(index), CUDA_VISIBLE_DEVICES=chosen, CUDA_DEVICE_ORDER="PCI_BUS_ID")


def typed(name: str, sources: Mapping[str, str]) -> str:
    """The name by which the user gave a setting: an old one of it, or its own."""
    return next((alias for alias in ROWS[name].aliases if alias in sources), name)


def _check_combinations(settings: Settings, sources: Mapping[str, str]) -> None:
    """Refuse combinations that no single row can see."""
    if settings.top_p < 1 and settings.temperature == 0:
        raise UserError(
            f"TOP_P={settings.top_p:g} has no effect with TEMPERATURE=0 (greedy); set TEMPERATURE above 0 or leave TOP_P at 1."
        )
    if "auto" in settings.lanes and len(settings.lanes) > 1:
        raise UserError(
            f"LANES={','.join(settings.lanes)!r} mixes auto with names; give auto alone or the names alone."
        )
    if "auto" in settings.precision and len(settings.precision) > 1:
        raise UserError(
            f"PRECISION={','.join(settings.precision)!r} mixes auto with names; give auto alone or the names alone."
        )
    if settings.prompts_file and not Path(settings.prompts_file).is_file():
        raise UserError(f"PROMPTS_FILE={settings.prompts_file!r} is not a file.")
    for name in ("DATA_DIR", "RESULTS_DIR"):
        text = getattr(settings, name.lower())
        if text and Path(text).exists() and not Path(text).is_dir():
            raise UserError(f"{name}={text!r} is a file; it takes a folder.")
