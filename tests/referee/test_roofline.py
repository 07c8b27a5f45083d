"""Bytes, operations and floors: by hand, against a step-by-step sum, and as properties."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trtbench.errors import UserError
from trtbench.model.shape import TINYLLAMA, Latent, ModelShape
from trtbench.referee import fits, roofline
from trtbench.referee.roofline import PRECISIONS, Machine
from trtbench.settings.knobs import PRECISIONS as SETTING_NAMES

FP16 = PRECISIONS["float16"]
RTX_4070 = Machine(504e9, 58.3e12)

shapes = st.builds(
    lambda layers, heads, group, dim, mlp, vocab, window, windowed: ModelShape(
        architecture="any",
        layers=layers,
        hidden=heads * group * dim,
        heads=heads * group,
        kv_heads=heads,
        head_dim=dim,
        intermediate=mlp,
        vocab=vocab,
        sliding_window=window,
        windowed_layers=0 if window is None else min(windowed, layers),
    ),
    st.integers(1, 8),
    st.integers(1, 4),
    st.integers(1, 4),
    st.sampled_from([8, 16]),
    st.integers(1, 300),
    st.integers(1, 500),
    st.none() | st.integers(1, 60),
    st.integers(0, 8),
)
machines = st.builds(Machine, st.floats(1e6, 1e13), st.none() | st.floats(1e8, 1e16), st.just(0.0) | st.floats(1, 1e7))
precisions = st.sampled_from(list(PRECISIONS.values()))
batches, prompts, news = st.integers(1, 64), st.integers(0, 100), st.integers(1, 60)


def test_every_precision_of_the_settings_has_a_row() -> None:
    assert set(PRECISIONS) == set(SETTING_NAMES)


@pytest.mark.parametrize(
    ("short", "name"),
    [("fp16", "float16"), ("BF16", "bfloat16"), ("fp32", "float32"), ("awq", "int4_awq"), ("int8", "int8")],
)
def test_shorthand(short: str, name: str) -> None:
    assert roofline.precision(short).name == name


def test_an_unknown_precision_is_refused_by_name() -> None:
    with pytest.raises(UserError, match=r"'fp12'.*float16"):
        roofline.precision("fp12")


def test_tinyllama_by_hand() -> None:
    assert roofline.weight_bytes(TINYLLAMA, FP16) == 2 * 1_034_512_384
    assert roofline.kv_bytes(TINYLLAMA, FP16, 1, 1) == 22 * 1024  # 22 KiB a position
    assert roofline.kv_bytes(TINYLLAMA, PRECISIONS["float32"], 8, 256) == 2 * 8 * 256 * 22 * 1024
    step = roofline.decode_floor(TINYLLAMA, FP16, RTX_4070, 1, 0)
    assert roofline.ceiling(step, 1) == pytest.approx(243.6, abs=0.05)
    whole = roofline.generation_floor(TINYLLAMA, FP16, RTX_4070, 1, 0, 200)
    assert whole.seconds == pytest.approx(0.822, abs=0.0005)
    assert whole.bound == "bandwidth"


@pytest.mark.parametrize(("cached", "windowed", "full"), [(5, 5, 5), (15, 15, 15), (16, 15, 16), (100, 15, 100)])
def test_a_window_of_16_reads_at_most_15_earlier_positions(cached: int, windowed: int, full: int) -> None:
    mixed = dataclasses.replace(TINYLLAMA, sliding_window=16, windowed_layers=20)
    pair = 2 * 4 * 64 * 2  # K and V of one position in one layer, bytes
    assert roofline.kv_bytes(mixed, FP16, 3, cached) == 3 * pair * (20 * windowed + 2 * full)


def test_prefill_operations_by_hand() -> None:
    """2 x layer matrices x ids, the head once, 4 x heads x head_dim for each of P(P+1)/2 pairs a layer."""
    prefill = roofline.prefill_floor(TINYLLAMA, FP16, Machine(1e12, 1e14), 3, 128)
    layers = 22 * (2 * 2048 * 2048 + 2 * 2048 * 256 + 3 * 2048 * 5632)
    pairs = 22 * 128 * 129 // 2
    assert prefill.ops == 3 * (2 * 128 * layers + 2 * 32000 * 2048 + 4 * 2048 * pairs)


def test_a_long_prefill_is_bound_by_the_peak_and_a_step_by_bandwidth() -> None:
    a100 = Machine(1555e9, 312e12)
    assert roofline.prefill_floor(TINYLLAMA, FP16, a100, 8, 2048).bound == "peak"
    assert roofline.decode_floor(TINYLLAMA, FP16, a100, 1, 2048).bound == "bandwidth"


def test_a_model_that_fits_the_cache_is_not_refused_by_bandwidth() -> None:
    cached = Machine(504e9, None, roofline.weight_bytes(TINYLLAMA, FP16) + 1e9)
    assert roofline.generation_floor(TINYLLAMA, FP16, cached, 1, 8, 200).least_seconds == 0


def test_cache_and_tolerance_do_not_add_up() -> None:
    def floor(cache: float) -> roofline.Floor:
        return roofline.decode_floor(TINYLLAMA, FP16, Machine(504e9, None, cache), 1, 0)

    assert floor(1e6).least_seconds == floor(0).least_seconds == floor(0).seconds / 1.02
    assert floor(100e6).least_seconds == pytest.approx(floor(0).seconds - 100e6 / 504e9)


def test_batch_reads_weights_once_and_caches_each() -> None:
    one = roofline.decode_floor(TINYLLAMA, FP16, RTX_4070, 1, 100)
    many = roofline.decode_floor(TINYLLAMA, FP16, RTX_4070, 32, 100)
    assert many.traffic - one.traffic == 31 * 100 * 22 * 1024
    assert many.ops == 32 * one.ops


def test_databricks_example_of_mbu() -> None:
    """Their example: 7B in fp16 at 14 ms a token on 2 TB/s is 50 %."""
    floor = roofline.Floor(traffic=14e9, ops=14e9, seconds=0.007, least_seconds=0.0068, bound="bandwidth")
    assert roofline.mbu(floor, 0.014, 2e12) == pytest.approx(0.5)
    assert roofline.mfu(floor, 0.014, 1e13) == pytest.approx(0.1)


def test_two_cards_that_share_every_layer_by_hand() -> None:
    """22 layers x 2 sums x 2,048 elements x 1 byte a token, over 64 GB/s (the worked example of docs/methodology.md)."""
    one, two = Machine(504e9, 58.3e12, peer=64e9), Machine(2 * 504e9, 2 * 58.3e12, cards=2, peer=64e9)
    assert roofline.sent_bytes(TINYLLAMA, one, 1) == 0
    assert roofline.sent_bytes(TINYLLAMA, two, 1) == 90_112
    step = roofline.decode_floor(TINYLLAMA, FP16, two, 1, 128)
    assert step.bound == "bandwidth" and step.seconds == pytest.approx(2.055e-3, abs=5e-7)
    long_prompt = roofline.prefill_floor(TINYLLAMA, FP16, two, 16, 1024)
    assert long_prompt.bound == "peak" and long_prompt.seconds > 16 * 1024 * 90_112 / 64e9
    slow = dataclasses.replace(two, peer=1e9)
    assert roofline.prefill_floor(TINYLLAMA, FP16, slow, 16, 1024).bound == "link"
    assert roofline.prefill_floor(TINYLLAMA, FP16, slow, 16, 1024).seconds == pytest.approx(1.4764, abs=5e-5)


def test_what_may_be_computed_side_by_side_is_summed_once() -> None:
    assert TINYLLAMA.sums == 44
    for changed in ({"gated": False}, {"norms_per_layer": 1}, {"sparse_layers": 22}):
        assert dataclasses.replace(TINYLLAMA, **changed).sums == 22


@settings(deadline=None)
@given(shapes, precisions, machines, st.integers(2, 8), st.floats(1e6, 1e12), batches, prompts, news)
def test_more_cards_never_raise_what_memory_and_peak_ask_for(
    shape: ModelShape,
    precision: roofline.Precision,
    machine: Machine,
    cards: int,
    peer: float,
    batch: int,
    prompt: int,
    new: int,
) -> None:
    def floor(on: Machine) -> roofline.Floor:
        return roofline.generation_floor(shape, precision, on, batch, prompt, new)

    several = fits.together(machine, cards)
    assert floor(several).seconds <= floor(machine).seconds
    assert floor(several).least_seconds <= floor(machine).least_seconds
    # The link is a bound beside the others: it adds nothing to them, and one card has none.
    linked = floor(dataclasses.replace(several, peer=peer))
    assert linked.seconds >= floor(several).seconds and linked.least_seconds >= floor(several).least_seconds
    assert linked.bound == "link" or linked.seconds == floor(several).seconds or new > 1
    assert floor(dataclasses.replace(machine, peer=peer)) == floor(machine)


@settings(deadline=None)  # a busy machine is not a failure
@given(shapes, precisions, batches, st.integers(0, 100), st.integers(0, 60))
def test_closed_form_is_the_sum_of_the_steps(
    shape: ModelShape, precision: roofline.Precision, batch: int, cached: int, steps: int
) -> None:
    machine = Machine(1e9)
    closed = roofline.decode_floor(shape, precision, machine, batch, cached, steps)
    single = [roofline.decode_floor(shape, precision, machine, batch, cached + step) for step in range(steps)]
    assert closed.traffic == pytest.approx(sum(step.traffic for step in single))
    assert closed.ops == sum(step.ops for step in single)
    assert closed.seconds == pytest.approx(sum(step.seconds for step in single))


@settings(deadline=None)
@given(shapes, st.integers(1, 100))
def test_windowed_pairs_of_a_prefill_are_the_sum_of_its_positions(shape: ModelShape, prompt: int) -> None:
    ops = roofline.prefill_floor(shape, FP16, Machine(1e9), 1, prompt).ops
    reach = shape.sliding_window or prompt
    pairs = sum(
        shape.windowed_layers * min(position, reach) + (shape.layers - shape.windowed_layers) * position
        for position in range(1, prompt + 1)
    )
    matrices = 2 * prompt * shape.layer_matrices(0) + 2 * shape.vocab * shape.hidden
    assert ops == matrices + 4 * shape.heads * shape.head_dim * pairs


@settings(deadline=None)
@given(shapes, precisions, machines, batches, prompts, news)
def test_a_generation_is_never_bounded_above_its_single_steps(
    shape: ModelShape, precision: roofline.Precision, machine: Machine, batch: int, prompt: int, new: int
) -> None:
    whole = roofline.generation_floor(shape, precision, machine, batch, prompt, new)
    first = max(prompt, 1)
    parts = [roofline.prefill_floor(shape, precision, machine, batch, first)]
    parts += [roofline.decode_floor(shape, precision, machine, batch, first + step) for step in range(new - 1)]
    assert whole.seconds <= sum(part.seconds for part in parts) * (1 + 1e-9)
    assert whole.least_seconds <= sum(part.least_seconds for part in parts) * (1 + 1e-9)
    assert 0 <= whole.least_seconds <= whole.seconds


@settings(deadline=None)
@given(shapes, precisions, machines, batches, prompts, news)
def test_more_work_never_takes_less_time(
    shape: ModelShape, precision: roofline.Precision, machine: Machine, batch: int, prompt: int, new: int
) -> None:
    def least(**change: int) -> float:
        cell = {"batch": batch, "prompt": prompt, "new": new, **change}
        return roofline.generation_floor(shape, precision, machine, **cell).least_seconds * (1 + 1e-9)

    base = least() / (1 + 1e-9)
    assert least(batch=batch + 1) >= base
    assert least(prompt=prompt + 1) >= base
    assert least(new=new + 1) >= base


@settings(deadline=None)
@given(shapes, machines, batches, prompts, news)
def test_fewer_bits_never_take_longer(shape: ModelShape, machine: Machine, batch: int, prompt: int, new: int) -> None:
    floors = [
        roofline.generation_floor(shape, PRECISIONS[name], machine, batch, prompt, new).least_seconds
        for name in ("float32", "float16", "int8", "int4_awq", "int4")
    ]
    assert floors == sorted(floors, reverse=True)


@settings(deadline=None)
@given(shapes, precisions, machines, batches, prompts, news, st.floats(1e-3, 1e3))
def test_units_do_not_matter(
    shape: ModelShape,
    precision: roofline.Precision,
    machine: Machine,
    batch: int,
    prompt: int,
    new: int,
    scale: float,
) -> None:
    """A machine twice as fast in everything needs half the time and gives the same utilisation."""
    faster = dataclasses.replace(
        machine,
        bandwidth=machine.bandwidth * scale,
        peak=None if machine.peak is None else machine.peak * scale,
    )
    slow = roofline.generation_floor(shape, precision, machine, batch, prompt, new)
    fast = roofline.generation_floor(shape, precision, faster, batch, prompt, new)
    assert fast.seconds * scale == pytest.approx(slow.seconds)
    assert fast.least_seconds * scale == pytest.approx(slow.least_seconds)
    assert roofline.mbu(fast, fast.seconds, faster.bandwidth) == pytest.approx(
        roofline.mbu(slow, slow.seconds, machine.bandwidth)
    )


def test_a_chunk_starts_anew_where_a_window_slides() -> None:
    """Llama 4: the first position of a chunk attends to itself alone, so nothing is read there."""
    mixed = dataclasses.replace(TINYLLAMA, sliding_window=16, windowed_layers=20, chunked=True)
    pair = 2 * 4 * 64 * 2
    for cached, near in ((0, 0), (5, 5), (15, 15), (16, 0), (37, 5)):
        assert roofline.kv_bytes(mixed, FP16, 3, cached) == 3 * pair * (20 * near + 2 * cached)


def test_a_latent_is_read_once_for_all_heads_and_scored_over_its_own_widths() -> None:
    latent = Latent(q_rank=0, kv_rank=512, rope_dim=64, value_dim=128)
    shape = ModelShape("any", 3, 256, 16, 16, 192, 64, 1000, latent=latent)
    assert roofline.kv_bytes(shape, FP16, 2, 10) == 2 * 10 * 3 * (512 + 64) * 2
    attention = 256 * 16 * 192 + 256 * 576 + 512 * 16 * (128 + 128) + 16 * 128 * 256
    step = roofline.decode_floor(shape, FP16, Machine(1e12), 1, 10)
    assert step.ops == 2 * (3 * (attention + 3 * 256 * 64) + 1000 * 256) + 2 * 3 * 16 * (192 + 128) * 11


@settings(deadline=None)
@given(shapes, st.booleans(), st.integers(0, 200), st.integers(0, 60))
def test_windows_and_chunks_never_add_to_what_is_read(
    shape: ModelShape, chunked: bool, cached: int, steps: int
) -> None:
    windowed = dataclasses.replace(shape, chunked=chunked)
    full = dataclasses.replace(shape, sliding_window=None, windowed_layers=0)
    sliding = dataclasses.replace(shape, chunked=False)
    least = roofline.kv_bytes(windowed, FP16, 1, cached, steps)
    assert (
        least <= roofline.kv_bytes(sliding, FP16, 1, cached, steps) <= roofline.kv_bytes(full, FP16, 1, cached, steps)
    )
    assert least == sum(roofline.kv_bytes(windowed, FP16, 1, cached + step) for step in range(steps))
