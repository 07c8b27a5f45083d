"""llama.cpp's llama-bench, `-o json`, `jsonl`, `csv` and `md`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from trtbench.errors import UserError, counted
from trtbench.referee.claim_formats.layout import Document
from trtbench.referee.claim_formats.numbers import cards, count, positive
from trtbench.referee.claim_formats.numbers import read as read_number
from trtbench.referee.claim_formats.row import Reading, Row, Sum

_STEADY = 0.1  # its rate is the mean of rates: beyond this spread it is not tokens over the mean time to 2 %
_TEST = re.compile(r"(?:pp(\d{1,9}))?\+?(?:tg(\d{1,9}))?(?:\s*@\s*d(\d{1,9}))?")


def matches(document: Document) -> bool:
    """Rows with n_prompt, n_gen and avg_ts, or its Markdown with `test` and `t/s`."""
    rows = _rows(document)
    first = rows[0] if rows else {}
    if not isinstance(first, Mapping):
        return False
    return {"n_prompt", "n_gen", "avg_ts"} <= first.keys() or (
        {"test", "t/s"} <= first.keys() and _TEST.fullmatch(str(first["test"]).strip()) is not None
    )


def _rows(document: Document) -> Sequence[Any]:
    if document.table is not None:
        return document.table
    return document.value if isinstance(document.value, list) else [document.value]


def read(document: Document) -> Reading:
    """examples/llama-bench: each row is one test of one sequence (n_batch is how a prompt is cut, not how many there are).

    A test is of n_prompt ids read, of n_gen ids made behind n_depth ids that are not timed, or of both; avg_ts counts all
    ids that are timed, over avg_ns.
    """
    rows, prompts = [], 0
    for number, cells in enumerate(_rows(document), 1):
        if not isinstance(cells, Mapping):
            raise UserError(f"Row {number} of llama-bench is no object.")
        prompt, new, depth, rate = _test(cells, number, document.comma)
        if not new:
            prompts += 1
            continue
        time = positive(cells.get("avg_ns"), f"Row {number}: avg_ns", document.comma)
        spread = positive(cells.get("stddev_ns") or None, f"Row {number}: stddev_ns", document.comma) or 0
        both = prompt > 0
        if both and time is None and rate:  # its Markdown has the rate alone, which is the ids over the time
            time = (prompt + new) / rate * 1e9
        steady = time is not None and spread <= _STEADY * time
        rows.append(
            Row(
                name=f"{cells.get('model_type', cells.get('model', 'llama-bench'))}, "
                + (f"pp{prompt}+" if both else "")
                + f"tg{new}"
                + (f" @ d{depth}" if depth else ""),
                batch=1,
                prompt=prompt or depth or None,
                new_tokens=new,
                latency=time / 1e6 if time and both else None,
                decode=None if time is None or both else time / 1e6,
                throughput=rate,
                rate_unit="total" if both else "tokens",
                sums=(Sum(rate, time / 1e9, prompt + new, "timed tokens"),) if rate and time and steady else (),
                cards=_cards(cells, number),
                on_card=_on_card(cells, document.comma),
                precision=_stored(str(cells.get("model_type", cells.get("model", "")))),
                cache=tuple(str(cells[name])[:40] for name in ("type_k", "type_v") if cells.get(name)),
            )
        )
    if not rows:
        raise UserError("No row of llama-bench generates (tg); what only reads a prompt is not judged here.")
    skipped = (f"{counted(prompts, 'row')} that only read a prompt: not judged.",) if prompts else ()
    return Reading("llama-bench's rows", tuple(rows), skipped)


def _test(cells: Mapping[str, Any], number: int, comma: bool | None) -> tuple[int, int, int, float | None]:
    """Prompt, new and depth in ids, and the rate."""
    if "test" in cells and "n_gen" not in cells:
        test = _TEST.fullmatch(str(cells["test"]).strip())
        if test is None:
            raise UserError(
                f"Row {number}: test={str(cells['test'])[:60]!r} is not a test of llama-bench (pp512, tg128)."
            )
        prompt, new, depth = (int(part or 0) for part in test.groups())
        return prompt, new, depth, positive(cells.get("t/s"), f"Row {number}: t/s", comma)
    prompt, new, depth = (
        count(cells.get(name), f"Row {number}: {name}", comma, least=0) or 0
        for name in ("n_prompt", "n_gen", "n_depth")
    )
    return prompt, new, depth, positive(cells.get("avg_ts"), f"Row {number}: avg_ts", comma)


def _cards(cells: Mapping[str, Any], number: int) -> int | None:
    """The devices that gpu_info names; its Markdown has no such column."""
    devices = str(cells.get("gpu_info") or "")
    return cards(devices.count(",") + 1, f"Row {number}: the devices of gpu_info") if devices else None


def _on_card(cells: Mapping[str, Any], comma: bool | None) -> float | None:
    """How many layers at most lie on the card: below 0 and in no column it is not known, nor where parts of them are said to lie
    with the host (experts, tensors by name)."""
    moved = [cells.get(name) for name in ("n_cpu_moe", "ncmoe", "tensor_buft_overrides", "ot")]
    if any(part not in (None, "", 0, "0", "none") for part in moved):
        return None
    layers = next((cells[name] for name in ("n_gpu_layers", "ngl") if name in cells), None)
    number = read_number(layers, "n_gpu_layers", comma)
    return None if number is None or number < 0 else number


def _stored(model: str) -> str | None:
    """The kind of quantisation in a model's type (llama 13B Q4_0), all of it where none is found."""
    kinds = re.findall(r"\b(?:F32|F16|BF16|[IT]?Q\d\w*|(?:MX|NV)FP\d\w*)", model, re.IGNORECASE)
    return kinds[-1] if kinds else model[:60] or None
