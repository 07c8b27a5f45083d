"""The plan of a fleet: a YAML file, read strictly. It is data: no tag, no anchor, nothing of it is ever run or given to a shell."""

from __future__ import annotations

import difflib
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import yaml

from trtbench.errors import UserError, in_one_line
from trtbench.fleet.asked_run import LONGEST
from trtbench.fleet.wanted import NAME, Kind, Wanted
from trtbench.records.files import plain_bytes, shown
from trtbench.settings.knobs import ALIASES, PRECISIONS, ROWS
from trtbench.settings.reading import parse, resolve

LARGEST = 2**20  # bytes of a plan
RUNS = 100_000  # in one plan
# Settings that a plan has a row of its own for, or that are not its to choose: cards are given out by Ray, and where files lie is
# each machine's own matter.
NOT_HERE = {
    "MODEL_NAME": "models",
    "PRECISION": "precisions",
    "GPU_INDEX": "",
    "DATA_DIR": "",
    "RESULTS_DIR": "",
    "REPORT_LANG": "",
    "LOG_LEVEL": "",
}


class Plan(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Models × precisions × kinds of machine, each combination `repeats` times; the settings are the same for all. A run that is
    lost with its machine is placed again, `retries` times at most. `currency` is what the kinds' prices are in."""

    name: str
    models: list[str]
    precisions: list[str]
    kinds: dict[str, Kind]
    settings: dict[str, Any] = {}
    repeats: int = 1
    retries: int = 3
    currency: str = ""

    def wanted(self) -> list[Wanted]:
        """Every run, so that all models and kinds have a first run before any has a second."""
        texts = {ALIASES.get(name, name): _text(value) for name, value in self.settings.items()}
        return [
            Wanted(
                kind=kind, means=self.kinds[kind].means, model=model, precision=precision, repeat=repeat, settings=texts
            )
            for repeat in range(1, self.repeats + 1)
            for model in self.models
            for precision in self.precisions
            for kind in self.kinds
        ]


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Plain data alone: an alias can stand for more than any memory holds, and of two equal keys one would be lost."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.constructor.ConstructorError(
                None, None, "an alias (*) is not taken", self.peek_event().start_mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = next((name for name, count in Counter(names).items() if count > 1), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(None, None, f"{shown(twice)} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


def read(path: Path) -> Plan:
    """The plan of a file. Raises UserError with one sentence that names the row, its value and what would be right."""
    return parsed(plain_bytes(path, LARGEST), str(path))


def parsed(data: bytes, where: str) -> Plan:
    """The plan of a file's bytes; `where` names the file."""
    try:
        value = yaml.load(data.decode(), Loader=_Loader)
    except UnicodeDecodeError:
        raise UserError(f"{where} is not UTF-8 text.") from None
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None) or "it cannot be read"
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise UserError(f"{where}{line}: {shown(problem)}; a plan is plain YAML.") from None
    except RecursionError:
        raise UserError(f"{where} is no plan: it is too deep.") from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # PyYAML's own readers of numbers and dates trust what a tag says.
        raise UserError(f"{where} is no plan: {shown(in_one_line(error))}.") from None
    if not isinstance(value, dict):
        raise UserError(f"{where} is no plan: it takes rows such as name, models, precisions and kinds.")
    unknown = next((name for name in value if name not in Plan.__struct_fields__), None)
    if unknown is not None:
        similar = difflib.get_close_matches(str(unknown), Plan.__struct_fields__, n=1)
        known = f"did you mean {similar[0]}?" if similar else f"known are {', '.join(Plan.__struct_fields__)}."
        raise UserError(f"{where}: {shown(unknown)} is no row of a plan; {known}")
    try:
        plan = msgspec.convert(value, Plan)
    except msgspec.ValidationError as error:
        raise UserError(f"{where} is not a valid plan: {shown(error)}.") from None
    _check(plan, where)
    return plan


def _check(plan: Plan, where: str) -> None:
    def refuse(row: str, value: object, right: str) -> None:
        raise UserError(f"{where}: {row}={shown(repr(value))} is not valid: it takes {right}.")

    name = "1 to 40 small letters, digits and hyphens, no hyphen at either end"
    if not NAME.fullmatch(plan.name):
        refuse("name", plan.name, name)
    for row in ("models", "precisions"):
        values = getattr(plan, row)
        if not values or len(set(values)) != len(values):
            refuse(row, values, "a list with at least one value, each once")
    for model in plan.models:
        if not model.strip() or not model.isprintable() or len(model) > 500:
            refuse("models", model, "a Hub id, a folder or a built-in model each, in one line")
    for precision in plan.precisions:
        if precision not in PRECISIONS:
            refuse("precisions", precision, f"any of {', '.join(PRECISIONS)}")
    if not plan.kinds:
        refuse("kinds", plan.kinds, "at least one kind of machine")
    for kind_name, kind in plan.kinds.items():
        if not NAME.fullmatch(kind_name):
            refuse("kinds", kind_name, f"names of {name}")
        _check_kind(kind_name, kind, refuse)
    for row, most in (("repeats", 1000), ("retries", 1000)):
        if not (row == "repeats") <= getattr(plan, row) <= most:
            refuse(row, getattr(plan, row), f"a whole number from {int(row == 'repeats')} to {most}")
    if len(plan.currency) > 8 or not plan.currency.isprintable():
        refuse("currency", plan.currency, "a short name such as EUR")
    if any(kind.price is not None for kind in plan.kinds.values()) and not plan.currency:
        refuse("currency", plan.currency, "the name of what the prices are in, such as EUR")
    runs = plan.repeats * len(plan.models) * len(plan.precisions) * len(plan.kinds)
    if runs > RUNS:
        raise UserError(f"{where} asks for {runs:,} runs; {RUNS:,} are the most of one plan.")
    _check_settings(plan, where)


def _check_kind(name: str, kind: Kind, refuse: Any) -> None:
    row = f"kinds.{name}"
    for field in ("accelerator", "resource"):
        text = getattr(kind, field)
        if len(text) > 100 or not all(letter.isalnum() or letter in "-_." for letter in text):
            refuse(f"{row}.{field}", text, "letters, digits and -_. alone")
    if kind.resource.lower() in ("cpu", "gpu", "memory", "object_store_memory"):
        refuse(
            f"{row}.resource", kind.resource, "a name from `ray start --resources`; Ray's own are cards and cpus here"
        )
    for label, value in kind.labels.items():
        if not all(
            text and len(text) <= 100 and all(c.isalnum() or c in "-_./" for c in text) for text in (label, value)
        ):
            refuse(f"{row}.labels", {label: value}, "names and values of letters, digits and -_./ alone")
    for field, low, high in (("cards", 0, 64), ("cpus", 1, 4096), ("machines", 0, 100_000)):
        number = getattr(kind, field)
        if number is not None and not low <= number <= high:
            refuse(f"{row}.{field}", number, f"a whole number from {low} to {high:,}")
    if kind.cards and kind.cpus is not None:
        refuse(f"{row}.cpus", kind.cpus, "nothing where the kind has cards, for a run takes those")
    if kind.price is not None and not 1e-6 <= kind.price <= 1e9:
        refuse(f"{row}.price", kind.price, "a number from 0.000001 to 1e9: what one hour of what a run takes costs")


def _check_settings(plan: Plan, where: str) -> None:
    """Each setting by the table of settings, and all together as the benchmark would read them, so that nothing is wrong on two
    hundred machines that could have been told here."""
    for name, value in plan.settings.items():
        own = ALIASES.get(name, name)
        if own not in ROWS:
            similar = difflib.get_close_matches(str(name), ROWS, n=1)
            known = f"did you mean {similar[0]}?" if similar else ".env.example lists them all."
            raise UserError(f"{where}: settings.{shown(name)} is not a setting; {known}")
        if ROWS[own].secret:
            raise UserError(
                f"{where}: settings.{name} is a secret; put it into each machine's own environment or .env."
            )
        if own in NOT_HERE:
            instead = (
                f"the plan's row for it is {NOT_HERE[own]}" if NOT_HERE[own] else "it is each machine's own matter"
            )
            raise UserError(f"{where}: settings.{name} does not belong into a plan; {instead}.")
        text = _text(value) if isinstance(value, (str, int, float, bool, list)) else ""
        if not text.strip() or not text.isprintable() or len(text) > LONGEST:
            raise UserError(
                f"{where}: settings.{name}={shown(repr(value))} is not valid: it takes a text in one line, a number or a list."
            )
    for precision in plan.precisions:
        for model in plan.models:
            flags = {**{n: _text(v) for n, v in plan.settings.items()}, "MODEL_NAME": model, "PRECISION": precision}
            try:
                for name, text in flags.items():
                    parse(name, text)
                resolve({}, environment=flags, file=Path("/dev/null"))
            except UserError as error:
                raise UserError(f"{where}: settings: {error}") from None


def _text(value: Any) -> str:
    """A value of YAML as a person types it for a setting."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, list):
        return ",".join(_text(part) for part in value)
    return str(value)
