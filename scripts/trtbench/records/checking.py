"""What readers hold records to beyond their types: names that the tables know, settings that a run can have been opened
with, and JSON of any kind within limits. Each refusal is one sentence with the file, the field, the value and what would
be right."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from trtbench.errors import UserError
from trtbench.records.files import DEPTH, shown
from trtbench.records.telemetry import Telemetry
from trtbench.settings.knobs import DEFAULTS, PRECISIONS, ROWS
from trtbench.settings.lanes import LANES

if TYPE_CHECKING:
    from trtbench.records.trial import Trial

NEEDED = ("MODEL_NAME", "EQUIVALENCE_MARGIN")  # settings that every report is made with
TEXT = 20_000  # characters of one text
_TYPES: dict[str, tuple[type, ...]] = {"int": (int,), "trials": (int,), "float": (int, float), "switch": (bool,)}
_SPANS: dict[str, tuple[float | None, float | None]] = {
    name: (0.0, 1000.0) if row.kind == "trials" else (row.low, row.high)
    for name, row in ROWS.items()
    if row.kind in ("int", "float", "trials")
}


def check_names(where: str, lanes: Iterable[str | None], precisions: Iterable[str]) -> None:
    """Raises UserError for a lane or a precision that this program does not know; no lane (None) is none to know."""
    for lane in lanes:
        if lane is not None and lane not in LANES:
            raise UserError(f"{where} names the lane {shown(lane)!r}, which this program does not know.")
    for precision in precisions:
        if precision not in PRECISIONS:
            raise UserError(
                f"{where} names the precision {shown(precision)!r}, which is none of {', '.join(PRECISIONS)}."
            )


def check_settings(where: str, settings: dict[str, Any], needed: Iterable[str] = ()) -> None:
    """Raises UserError for a setting that no run can have been opened with, and where one of those `needed` is not there.
    Settings that this program does not know, of another version, are passed over."""
    for name in needed:
        if name not in settings:
            raise UserError(f"{where} lacks the setting {name}.")
    for name, value in settings.items():
        if name not in ROWS:
            check_json(where, f"settings.{name}", value)
        elif not (
            isinstance(value, list) and all(_can_be(name, part) for part in value)
            if isinstance(DEFAULTS[name], tuple)
            else _can_be(name, value)
        ):
            raise UserError(f"{where} has {name}={shown(str(value)[:40])!r}; it takes {ROWS[name].wanted()}.")


def _can_be(name: str, value: Any) -> bool:
    kind = ROWS[name].kind
    if not isinstance(value, _TYPES.get(kind, (str,))) or isinstance(value, bool) != (kind == "switch"):
        return False
    if isinstance(value, str):
        return len(value) <= TEXT
    low, high = _SPANS.get(name, (None, None))
    number: Any = value
    return (low is None or number >= low) and (high is None or number <= high)


def check_json(where: str, name: str, value: Any, depth: int = 1) -> None:
    """Raises UserError where a value that may be any JSON is deeper than DEPTH, or has a number beyond 64 bits or a text of
    more than TEXT characters."""
    if isinstance(value, (dict, list)):
        if depth > DEPTH:
            raise UserError(f"{where} holds JSON deeper than {DEPTH} levels ({shown(name)}).")
        if isinstance(value, dict):
            for key, part in value.items():
                check_json(where, name, key, depth + 1)
                check_json(where, name, part, depth + 1)
        else:
            for part in value:
                check_json(where, name, part, depth + 1)
    elif isinstance(value, str):
        if len(value) > TEXT:
            raise UserError(f"{where} holds a text of more than {TEXT:,} characters ({shown(name)}).")
    elif isinstance(value, int) and abs(value) >= 2**63:
        raise UserError(f"{where} holds a number beyond 64 bits ({shown(name)}).")


def later_fields(trial: Trial) -> dict[str, Any]:
    """Fields of schema 2 that may be absent in it and can't be in schema 1."""
    telemetry = trial.telemetry or Telemetry()
    gpu_fields = ("foreign_compute", "idle_utilisation", "idle_temperature", "early_clock", "early_reasons")
    later = {"cpu": telemetry.cpu, "waited": telemetry.waited, "QUIET": trial.settings.get("QUIET")}
    later |= {
        f"model.{name}": getattr(trial.model, name) for name in ("dequantised", "converted", "config_text", "files")
    }
    later |= {"cold.lookup": trial.cold.lookup, "environment.cards": trial.environment.cards}
    later |= {f"environment.{name}": getattr(trial.environment, name) for name in ("venv", "program")}
    for name in ("asked", "tensor_parallel"):
        later |= {f"statement.{name}": getattr(trial.statement, name) if trial.statement else None}
    later |= {name: getattr(trial, name) for name in ("began", "ended", "announced", "sealed", "left_out")}
    for i, record in enumerate(trial.cells):
        later |= {f"cells.{i}.{name}": getattr(record, name) for name in ("cpu", "setting", "began", "ended")}
        timed_passes = [("e2e", record.e2e), ("ttft", record.ttft)]
        later |= {f"cells.{i}.{name}.between": part.between for name, part in timed_passes if part is not None}
    return later | {
        f"gpus.{i}.{name}": getattr(gpu, name)
        for i, gpu in enumerate(telemetry.gpus or [])
        for name in (*gpu_fields, "power_cap_default")
    }
