"""A table of published figures, read under the names that tools use and held against themselves and against the roofline."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from trtbench.errors import UserError
from trtbench.model.shape import ModelShape
from trtbench.referee import roofline
from trtbench.referee.audit import findings
from trtbench.referee.audit.findings import PASS, Finding, found
from trtbench.referee.claim import AGREEMENT
from trtbench.referee.claim_memory import against_memory

# What a column may be called, and what turns its unit into ours (ms, output tokens/s of the whole batch).
ALIASES: dict[str, dict[str, float]] = {
    "name": {"name": 1, "lane": 1, "backend": 1, "engine": 1, "runtime": 1},
    "batch": {"batch": 1, "batch_size": 1},
    "prompt": {"prompt": 1, "prompt_length": 1, "prompt_tokens": 1, "input_tokens": 1, "input_len": 1, "isl": 1},
    "new_tokens": {"new_tokens": 1, "max_new_tokens": 1, "output_tokens": 1, "output_len": 1, "osl": 1, "tokens": 1},
    "latency": {"latency_ms": 1, "latency": 1, "e2e_ms": 1, "mean_latency_ms": 1, "latency_s": 1e3, "latency_ns": 1e-6},
    "throughput": {
        "throughput": 1,
        "tokens_per_s": 1,
        "tokens_per_second": 1,
        "tok_s": 1,
        "output_tokens_per_s": 1,
        "throughput_tok_s": 1,
    },
}


class Row(msgspec.Struct, kw_only=True, frozen=True):
    """One published row: `latency` in ms of a whole generation, `throughput` in output tokens/s; None if not said."""

    name: str
    batch: int
    new_tokens: int
    prompt: int | None = None
    latency: float | None = None
    throughput: float | None = None


def read(file: Path) -> list[Row]:
    """Read the rows of a JSON or CSV file; a UserError says what is missing."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} can't be read ({error}); give JSON or CSV.") from None
    if file.suffix.lower() == ".csv":
        return parse(list(csv.DictReader(io.StringIO(text))))
    try:
        document = json.loads(text)
    except ValueError as error:
        raise UserError(f"{file} is not JSON ({error}); give JSON, or a CSV file named .csv.") from None
    return parse(_rows(document))


def _rows(value: Any) -> Sequence[Mapping[str, Any]]:
    """The list of objects in it: the value itself, the first list of objects of an object, or the object alone."""
    if isinstance(value, dict):
        lists = [part for part in value.values() if isinstance(part, list) and part and isinstance(part[0], dict)]
        value = lists[0] if lists else [value]
    if not isinstance(value, list) or not value or not all(isinstance(row, dict) for row in value):
        raise UserError("No rows; a list of objects with batch, new_tokens, latency and throughput is needed.")
    return value


def parse(rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Rows from mappings with any of the ALIASES as keys."""
    parsed = []
    for number, row in enumerate(rows, 1):
        values = {name: _value(row, name, number) for name in ALIASES if name != "name"}
        label = next((str(row[key]) for key in ALIASES["name"] if row.get(key)), f"row {number}")
        if values["new_tokens"] is None:
            raise UserError(f"Row {number} ({label}) lacks new_tokens; without it a time says nothing.")
        batch, new = values["batch"], values["new_tokens"]
        if new < 1 or (batch is not None and batch < 1):
            raise UserError(f"Row {number} ({label}) has batch={batch} and new_tokens={new}; both are at least 1.")
        parsed.append(
            Row(
                name=label,
                batch=int(batch or 1),
                new_tokens=int(new),
                prompt=None if values["prompt"] is None else int(values["prompt"]),
                latency=values["latency"],
                throughput=values["throughput"],
            )
        )
    return parsed


def _value(row: Mapping[str, Any], name: str, number: int) -> float | None:
    lower = {str(key).strip().lower(): value for key, value in row.items()}
    for key, factor in ALIASES[name].items():
        value = lower.get(key)
        if value is None or value == "":
            continue
        try:
            return float(value) * factor
        except (TypeError, ValueError):
            raise UserError(f"Row {number}: {key}={value!r} is not a number.") from None
    return None


def check(
    rows: Sequence[Row],
    shape: ModelShape | None = None,
    precision: roofline.Precision | None = None,
    machine: roofline.Machine | None = None,
) -> list[Finding]:
    """Findings about published rows: each against itself and, with shape, precision and machine, against the roofline."""
    claim_findings: list[Finding] = []
    for row in rows:
        row_findings = _against_itself(row)
        nonsense = any(f.code == "claims.nonsense" for f in row_findings)
        if shape is not None and precision is not None and machine is not None and not nonsense:
            row_findings += _against_roofline(row, shape, precision, machine)
            cell, seconds = (row.batch, row.prompt or 0, row.new_tokens), row.latency and row.latency / 1e3
            row_findings += against_memory(row.name, cell, (seconds, row.throughput), shape, precision, machine)
        claim_findings += row_findings
    if not claim_findings:
        claim_findings.append(found("claims", level=PASS))
    return findings.ordered(claim_findings)


def _against_itself(row: Row) -> list[Finding]:
    stated = [value for value in (row.latency, row.throughput) if value is not None]
    if any(not 0 < value < math.inf for value in stated):
        return [found("claims.nonsense", name=row.name, latency=f"{row.latency}", rate=f"{row.throughput}")]
    if row.latency is None or row.throughput is None:
        what = " and ".join(
            name for name, value in (("latency", row.latency), ("throughput", row.throughput)) if value is None
        )
        return [found("claims.incomplete", name=row.name, what=what)]
    product, new_tokens = row.throughput * row.latency / 1e3, row.batch * row.new_tokens
    if math.isclose(product, new_tokens, rel_tol=AGREEMENT):
        return []
    with_prompt = row.batch * (row.new_tokens + (row.prompt or 0))
    code = "claims.prompt" if row.prompt and math.isclose(product, with_prompt, rel_tol=AGREEMENT) else "claims.rate"
    return [found(code, name=row.name, rate=row.throughput, latency=row.latency, product=product, made=new_tokens)]


def _against_roofline(
    row: Row, shape: ModelShape, precision: roofline.Precision, machine: roofline.Machine
) -> list[Finding]:
    prompt, steps = row.prompt or 0, max(row.new_tokens - 1, 1)
    floors = []
    if row.latency is not None:
        whole = roofline.generation_floor(shape, precision, machine, row.batch, prompt, row.new_tokens)
        floors.append(("generation", whole, row.latency / 1e3))
    if row.throughput is not None:
        # A rate may leave the prefill out, so only the decode steps bound it.
        decode = roofline.decode_floor(shape, precision, machine, row.batch, prompt, steps)
        floors.append(("decode", decode, row.batch * steps / row.throughput))
    return [
        found(
            "claims.ceiling",
            name=row.name,
            what=what,
            ratio=floor.seconds / seconds,
            gbs=machine.bandwidth / 1e9,
            weights=precision.name,
        )
        for what, floor, seconds in floors
        if floor.refutes(seconds)
    ]
