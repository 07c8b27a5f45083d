"""Times variants of the tuned decoder on one GPU, on random weights in TinyLlama's shape; writes one JSON.

    PYTHONPATH=scripts python3 docs/results/h200/attempts/measure.py OUT.json SECONDS VARIANT...

VARIANT: name:batch:prompt:new:key=value,… where keys are options of Inductor, attention=sums|products|sdpa|flex, or form=triton for the hand-written
kernels; form=tune first looks for their best tiles, one kernel after the other, by the time of a whole step.
A variant starts only while fewer than SECONDS have passed. Milliseconds are medians; `near` is the share of new ids
whose logit, in a float32 pass over prompt and output, lies within 0.3 standard deviations of the top one.
"""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from trtbench.lanes.tuned import session as tuned_session
from trtbench.lanes.tuned import steps as tuned_steps
from trtbench.lanes.tuned.decoder import Config, Ends, Layer, finish_layer, project, rms_norm
from trtbench.lanes.tuned.rotary import rotation
from trtbench.lanes.tuned.session import Session
from trtbench.records.trial import Sampling

BEGAN = time.monotonic()
SMALL = "--cpu" in sys.argv
DEVICE = "cpu" if SMALL else "cuda"


def random_model(dtype: torch.dtype) -> tuple[Config, list[Layer], Ends]:
    layers, hidden, heads, kv, inter, vocab = (2, 64, 4, 2, 96, 512) if SMALL else (22, 2048, 32, 4, 5632, 32000)
    half = hidden // heads // 2
    frequencies = tuple(10000.0 ** (-i / half) for i in range(half))
    config = Config(layers, hidden, heads, kv, half, inter, vocab, 1e-5, False, False, frequencies)
    draw = torch.Generator(DEVICE).manual_seed(7)

    def matrix(*size: int) -> torch.Tensor:
        return (torch.randn(size, generator=draw, device=DEVICE) * hidden**-0.5).to(dtype)

    def ones() -> torch.Tensor:
        return torch.ones(hidden, device=DEVICE, dtype=dtype)

    made = [
        Layer(
            ones(),
            matrix(2, config.rows, hidden),
            None,
            matrix(hidden, 2, heads * half),
            ones(),
            matrix(2, inter, hidden),
            matrix(hidden, inter),
        )
        for _ in range(layers)
    ]
    return config, made, Ends(matrix(vocab, hidden), ones(), matrix(vocab, hidden))


def near(config: Config, layers: list[Layer], ends: Ends, prompts: list[list[int]], output: list[list[int]]) -> float:
    wide = [Layer(*(None if p is None else p.float() for p in layer)) for layer in layers]
    first, norm, head = (p.float() for p in ends)
    good = count = 0
    for prompt, new in zip(prompts[:4], output[:4]):
        ids = torch.tensor([prompt + new[:-1]], device=DEVICE)
        cos, sin = rotation(config, ids.shape[1], DEVICE)
        x = first[ids]
        for layer in wide:
            q, k, v = project(x, layer, config, cos, sin)
            repeat = config.heads // config.kv_heads
            k, v = k.repeat_interleave(repeat, 1), v.repeat_interleave(repeat, 1)
            x = finish_layer(x, F.scaled_dot_product_attention(q, k, v, is_causal=True), layer, config)
        logits = F.linear(rms_norm(x[0, len(prompt) - 1 :], norm, config.eps), head)
        chosen = logits.gather(1, torch.tensor(new, device=DEVICE)[:, None])[:, 0]
        good += int((logits.amax(1) - chosen <= 0.3 * logits.std(1)).sum())
        count += len(new)
    return good / count


def decode_sdpa(x, w, cache, cos, sin, position, span, config):  # type: ignore[no-untyped-def]
    b = x.shape[0]
    q, k, v = project(x, w, config, cos[position], sin[position])
    cache.k.index_copy_(2, position, k)
    cache.v.index_copy_(2, position, v)
    grouped = q.reshape(b, config.kv_heads, -1, 2 * config.half)
    seen = (torch.arange(span, device=x.device) <= position).expand(1, 1, grouped.shape[2], span)
    mixed = F.scaled_dot_product_attention(grouped, cache.k[:, :, :span], cache.v[:, :, :span], attn_mask=seen)
    return finish_layer(x, mixed.reshape(b, config.heads, 1, -1), w, config)


def decode_flex(x, w, cache, cos, sin, position, span, config):  # type: ignore[no-untyped-def]
    from torch.nn.attention.flex_attention import flex_attention

    q, k, v = project(x, w, config, cos[position], sin[position])
    cache.k.index_copy_(2, position, k)
    cache.v.index_copy_(2, position, v)
    last = position[0]

    def seen(score, b, h, q_at, k_at):  # type: ignore[no-untyped-def]
        return torch.where(k_at <= last, score, float("-inf"))

    mixed = flex_attention(q, cache.k[:, :, :span], cache.v[:, :, :span], score_mod=seen, enable_gqa=True)
    return finish_layer(x, mixed, w, config)


def decode_sums(x, w, cache, cos, sin, position, span, config):  # type: ignore[no-untyped-def]
    b, d = x.shape[0], 2 * config.half
    q, k, v = project(x, w, config, cos[position], sin[position])
    cache.k.index_copy_(2, position, k)
    cache.v.index_copy_(2, position, v)
    grouped = q.reshape(b, config.kv_heads, -1, 1, d).float() * d**-0.5
    scores = (grouped * cache.k[:, :, None, :span].float()).sum(-1)
    scores = torch.where(torch.arange(span, device=x.device) <= position, scores, float("-inf"))
    wide = scores.unsqueeze(3).expand(-1, -1, -1, d, -1)
    power = torch.exp(wide - wide.amax(-1, keepdim=True))
    mixed = (power * cache.v[:, :, None, :span].transpose(3, 4).float()).sum(-1) / power.sum(-1)
    return finish_layer(x, mixed.to(x.dtype).view(b, config.heads, 1, d), w, config)


FORMS = {"sdpa": decode_sdpa, "flex": decode_flex, "sums": decode_sums, "products": tuned_steps.decode_batch}


def sync() -> None:
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def median_ms(work: Any, repeats: int) -> float:
    times = []
    for _ in range(repeats):
        sync()
        start = time.perf_counter_ns()
        work()
        sync()
        times.append(time.perf_counter_ns() - start)
    return sorted(times)[repeats // 2] / 1e6


def profile(session: Session, count: int, span: int) -> dict[str, Any]:
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as record

    session.position.fill_(session.length)
    with record(activities=[ProfilerActivity.CUDA]) as seen:
        session._recorded(count, span)()
        torch.cuda.synchronize()
    found = [(e.key, e.count, e.device_time_total) for e in seen.key_averages()]
    rows = [{"kernel": k[:90], "calls": n, "us_each": round(t / n, 2)} for k, n, t in found if t]
    return {
        "kernels_per_step": sum(r["calls"] for r in rows) / count,
        "kernel_us_per_step": round(sum(t for _, _, t in found) / count, 1),
        "kernels": sorted(rows, key=lambda r: -r["us_each"] * r["calls"])[:14],
    }


CANDIDATES = {
    "gate_up": [(2, 4), (4, 4), (4, 8), (8, 8), (2, 2), (8, 4), (1, 4)],
    "down": [(1, 4), (2, 4), (2, 8), (4, 8), (1, 8), (4, 4)],
    "qkv": [(1, 2), (1, 4), (2, 4), (2, 8), (4, 4), (4, 8)],
    "o": [(1, 2), (2, 4), (4, 4), (4, 8), (8, 8), (2, 2)],
    "attend": [(256, 16), (256, 8), (128, 8), (128, 4), (64, 4), (512, 16)],
    "head": [(4, 4), (8, 4), (8, 8), (16, 8), (4, 2), (16, 4)],
}


def tune(model: Any, length: int) -> list[dict[str, Any]]:
    """Coordinate descent over the tiles: microseconds of a step, in graphs of four."""
    from trtbench.lanes.triton import lane as pytorch_triton

    session = pytorch_triton.TritonSession(*model, Sampling(), (1, length, 200))
    times = []
    for name, candidates in CANDIDATES.items():
        best = None
        for tile in candidates:
            pytorch_triton.TILES[name] = tile
            session.recorded.clear()
            session.position.fill_(length + 100)
            work = session._recorded(4, session.total)
            taken = []
            for _ in range(9):
                session.position.fill_(length + 100)
                taken.append(median_ms(work, 1) / 4 * 1e3)
            found = sorted(taken)[4]
            times.append({"kernel": name, "tile": tile, "step_us": round(found, 1)})
            if best is None or found < best[0]:
                best = (found, tile)
        pytorch_triton.TILES[name] = best[1]  # type: ignore[index]
        print(round(time.monotonic() - BEGAN), name, best, flush=True)
    return times


def variant(text: str, model: Any) -> dict[str, Any]:
    name, batch, length, new, *rest = text.split(":")
    batch, length, new = int(batch), int(length), int(new)
    given = dict(part.split("=") for part in rest[0].split(",")) if rest and rest[0] else {}
    attention, form = given.pop("attention", None), given.pop("form", None)
    more = {k: {"True": True, "False": False}.get(v, v) for k, v in given.items()}
    usual = tuned_session.options
    usual_batch = tuned_steps.decode_batch

    def options(device: str, wide: bool) -> dict[str, Any]:
        chosen = {**usual(device, wide), **more}
        return {k: v for k, v in chosen.items() if v != "drop"}

    config, layers, ends = model
    result: dict[str, Any] = {"name": name, "batch": batch, "prompt": length, "new": new, "attention": attention}
    tuned_session.options = options  # type: ignore[assignment]
    if attention:
        tuned_steps.decode_batch = FORMS[attention]  # type: ignore[assignment]
    try:
        make = Session
        if form:
            from trtbench.lanes.triton.lane import TILES, TritonSession

            make = TritonSession  # type: ignore[assignment]
            if form == "tune":
                result["tuning"] = tune(model, length)
            result["tiles"] = dict(TILES)
        start = time.perf_counter()
        session = make(config, layers, ends, Sampling(), (batch, length, new))
        result["options"] = options(DEVICE, session.wide)
        prompts = torch.randint(3, config.vocab, (batch, length)).tolist()
        session.run(prompts, 1)
        result["first_prefill_s"] = round(time.perf_counter() - start, 1)
        output = session.run(prompts, new)
        result["first_call_s"] = round(time.perf_counter() - start, 1)
        session.run(prompts, new)
        whole = median_ms(partial(session.run, prompts, new), 7)
        first = median_ms(partial(session.run, prompts, 1), 7)
        result |= {
            "whole_ms": round(whole, 3),
            "first_token_ms": round(first, 3),
            "step_us": round((whole - first) / (new - 1) * 1e3, 1),
            "tokens_per_s": round(batch * new / whole * 1e3, 1),
            "near": near(config, layers, ends, prompts, output),
            "near_after": near(config, layers, ends, prompts, session.run(prompts, new)),
        }
        if DEVICE == "cuda":
            result["profile"] = profile(session, 1, session.span(length))
    finally:
        tuned_session.options, tuned_steps.decode_batch = usual, usual_batch
    return result


def main() -> None:
    out, seconds, variants = Path(sys.argv[1]), float(sys.argv[2]), [a for a in sys.argv[3:] if ":" in a]
    torch.set_grad_enabled(False)
    torch._dynamo.config.recompile_limit = 64
    torch.manual_seed(0)
    model = random_model(torch.float32 if SMALL else torch.float16)
    found: dict[str, Any] = {"torch": torch.__version__, "device": "cpu", "variants": []}
    if DEVICE == "cuda":
        found["device"] = torch.cuda.get_device_name()
        buffer = torch.empty(1 << 32, dtype=torch.uint8, device="cuda").random_()
        target = torch.empty_like(buffer)
        target.copy_(buffer)
        found["copy_bytes_per_s"] = 2 * buffer.nbytes / median_ms(lambda: target.copy_(buffer), 9) * 1e3
        total = buffer.view(torch.int64)
        total.sum()
        found["read_bytes_per_s"] = buffer.nbytes / median_ms(total.sum, 9) * 1e3
        del buffer, target, total
    for text in variants:
        if time.monotonic() - BEGAN > seconds:
            found["variants"].append({"name": text, "skipped": "out of time"})
            continue
        try:
            found["variants"].append(variant(text, model))
        except Exception as error:
            import traceback

            traceback.print_exc()
            found["variants"].append({"name": text, "error": f"{type(error).__name__}: {str(error)[:300]}"})
        last = {k: v for k, v in found["variants"][-1].items() if k not in ("options", "profile", "tuning")}
        print(round(time.monotonic() - BEGAN), last, flush=True)
        out.write_text(json.dumps(found, indent=1) + "\n")
        torch.cuda.empty_cache() if DEVICE == "cuda" else None


if __name__ == "__main__":
    main()
