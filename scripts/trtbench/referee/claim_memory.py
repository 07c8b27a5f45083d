"""Findings about a published row whose model and KV cache do not fit the card's memory."""

from __future__ import annotations

from trtbench.model.shape import ModelShape
from trtbench.referee import fits, roofline
from trtbench.referee.audit.findings import Finding, found


def against_memory(
    name: str,
    cell: tuple[int, int, int],
    timed: tuple[float | None, float | None],
    shape: ModelShape,
    precision: roofline.Precision,
    machine: roofline.Machine,
) -> list[Finding]:
    """What the memory and its link say of a row: `cell` is batch, prompt (0 if unknown) and new ids, `timed` seconds of a whole
    generation and output tokens/s of the batch, None where not said. Nothing where all of it fits or the memory is not known;
    a time or a rate that the roofline refutes already is left to it."""
    batch, prompt, new = cell
    fit = fits.fit(shape, precision, machine, *cell)
    if fit is None or fit.whole:
        return []
    seconds, rate = timed
    steps = max(new - 1, 1)
    claims = []
    if seconds is not None:
        whole = roofline.generation_floor(shape, precision, machine, batch, prompt, new)
        claims.append(("generation", whole, new, seconds))
    if rate is not None:
        decode = roofline.decode_floor(shape, precision, machine, batch, prompt, steps)
        claims.append(("decode", decode, steps, batch * steps / rate))
    refuted = [
        found(
            "claims.memory",
            name=name,
            what=what,
            ratio=fits.link_seconds(floor, passes, machine) / time,
            needed=fit.needed / 1e9,
            held=fit.held / 1e9,
            gbs=(machine.link or 0.0) / 1e9,
            weights=precision.name,
        )
        for what, floor, passes, time in claims
        if fits.refutes(floor, passes, machine, time) and not floor.refutes(time)
    ]
    return refuted or [
        found("claims.offload", name=name, needed=fit.needed / 1e9, held=fit.held / 1e9, weights=precision.name)
    ]
