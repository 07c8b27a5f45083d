"""The real lanes on a tiny model: exactly N ids, whatever the end of sequence says, and the same ids in float32.

This file also runs under transformers 4.57.3 and numpy 1.26 (the versions of the NGC image), where only the PyTorch
lanes exist; the others are skipped there by name.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from trtbench.errors import Unsupported
from trtbench.lanes.lane import Lane, Plan, create
from trtbench.measure.passes import check_count
from trtbench.model import files, finding
from trtbench.model.prompt_files import PROMPTS, read_prompts
from trtbench.model.workload import Workload, build
from trtbench.records.trial import Sampling
from trtbench.settings import lanes
from trtbench.settings.cells import Cell

pytestmark = pytest.mark.ngc

NEW = 24
SAMPLED = Sampling(temperature=0.7, top_p=0.9, seed=5)
EVERY = ["pytorch-eager", "onnxruntime"]


@contextmanager
def loaded(name: str, model: Path, data: Path, sampling: Sampling | None = None) -> Iterator[Lane]:
    """The lane, prepared and loaded in this process."""
    reason = lanes.missing(name, "cpu")
    if reason is not None:
        pytest.skip(f"{name} {reason}")
    cells = tuple(Cell(batch=b, prompt_length=16, new_tokens=NEW, precision="float32") for b in (1, 3))
    lane = create(name)(
        Plan(
            model=model,
            model_digest=finding.digest(model, data / "cache"),
            precision="float32",
            device="cpu",
            threads=1,
            sampling=sampling or Sampling(seed=5),
            cells=cells,
            cache=data / "cache",
        )
    )
    lane.prepare()
    lane.load()
    try:
        yield lane
    finally:
        lane.close()


@pytest.fixture(scope="module")
def workload(tiny_model: Path) -> Workload:
    return build(read_prompts(PROMPTS), tiny_model, [], Sampling(), "x")


@pytest.fixture(scope="module")
def prompts(workload: Workload) -> list[list[int]]:
    return [workload.sequence(k, 16) for k in range(3)]


@pytest.fixture(scope="module")
def greedy(tiny_model: Path, shared_data: Path, prompts: list[list[int]]) -> list[list[int]]:
    """What the reference lane returns for the three prompts, one at a time."""
    with loaded("pytorch-eager", tiny_model, shared_data) as lane:
        return [lane.generate([prompt], NEW)[0] for prompt in prompts]


@pytest.fixture(scope="module")
def stopping_model(tiny_model: Path, greedy: list[list[int]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same weights with an end-of-sequence id that greedy decoding is known to pick early."""
    folder = Path(shutil.copytree(tiny_model, tmp_path_factory.mktemp("stopping") / "model"))
    for name in ("config.json", "generation_config.json"):
        config = json.loads((folder / name).read_text())
        config["eos_token_id"] = greedy[0][NEW // 4]
        (folder / name).write_text(json.dumps(config))
    return folder


def test_greedy_output_is_varied_enough_to_tell_lanes_apart(greedy: list[list[int]]) -> None:
    assert all(len(set(row)) > NEW // 4 for row in greedy)
    assert len({tuple(row) for row in greedy}) == 3


@pytest.mark.parametrize("name", EVERY)
def test_every_lane_returns_the_same_ids_in_float32_alone_and_in_a_batch(
    name: str, tiny_model: Path, shared_data: Path, prompts: list[list[int]], greedy: list[list[int]]
) -> None:
    with loaded(name, tiny_model, shared_data) as lane:
        assert [lane.generate([prompt], NEW)[0] for prompt in prompts] == greedy
        assert lane.generate(prompts, NEW) == greedy
        assert lane.generate(prompts, 1) == [row[:1] for row in greedy]


@pytest.mark.parametrize("name", EVERY)
def test_the_end_of_sequence_stops_nothing_and_changes_nothing(
    name: str, stopping_model: Path, shared_data: Path, prompts: list[list[int]], greedy: list[list[int]]
) -> None:
    end = json.loads((stopping_model / "config.json").read_text())["eos_token_id"]
    assert end in greedy[0][: NEW // 2]
    with loaded(name, stopping_model, shared_data) as lane:
        for batch in (prompts[:1], prompts):
            output = lane.generate(batch, NEW)
            check_count(output, len(batch), NEW)
            assert output == greedy[: len(batch)]


def test_an_id_that_onnxruntime_ends_at_is_put_back_alone_and_refused_in_a_batch(
    tiny_model: Path, shared_data: Path, prompts: list[list[int]], greedy: list[list[int]], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    for name in ("config.json", "generation_config.json"):
        config = json.loads((folder / name).read_text())
        config["pad_token_id"] = greedy[0][NEW // 4]
        (folder / name).write_text(json.dumps(config))
    with loaded("onnxruntime", folder, tmp_path) as lane:
        assert lane.generate(prompts[:1], NEW) == greedy[:1]
        with pytest.raises(Unsupported, match=f"after id {greedy[0][NEW // 4]}"):
            lane.generate(prompts, NEW)


@pytest.mark.parametrize("name", EVERY)
def test_sampling_repeats_with_the_seed_and_is_not_greedy(
    name: str, tiny_model: Path, shared_data: Path, prompts: list[list[int]], greedy: list[list[int]]
) -> None:
    outputs = []
    for sampling in (SAMPLED, SAMPLED, Sampling(temperature=0.7, top_p=0.9, seed=6)):
        with loaded(name, tiny_model, shared_data, sampling) as lane:
            outputs.append([lane.generate(prompts[:1], NEW), lane.generate(prompts, NEW)])
            for output, batch in zip(outputs[-1], (1, 3)):
                check_count(output, batch, NEW)
    assert outputs[0] == outputs[1]
    assert outputs[0] != outputs[2]
    assert outputs[0][1] != greedy


@pytest.mark.parametrize("name", EVERY)
def test_nothing_is_kept_from_one_call_to_the_next(
    name: str, tiny_model: Path, shared_data: Path, prompts: list[list[int]], greedy: list[list[int]]
) -> None:
    with loaded(name, tiny_model, shared_data) as lane:
        first = lane.generate(prompts[:1], NEW)
        lane.generate(prompts[1:2], 7)
        lane.generate(prompts, 3)
        assert lane.generate(prompts[:1], NEW) == first == greedy[:1]


@pytest.mark.parametrize("name", EVERY)
def test_a_lane_states_what_it_is(name: str, tiny_model: Path, shared_data: Path, prompts: list[list[int]]) -> None:
    with loaded(name, tiny_model, shared_data) as lane:
        lane.generate(prompts[:1], 2)
        said = lane.statement()
        assert said.compute_precision == "float32"
        assert (said.device, said.threads, said.cuda_graphs, said.simulated) == ("cpu", 1, False, False)
        assert said.runtime_version
        weights = lane.memory().weights
        assert weights is not None
        assert weights >= 4 * files.parameters(tiny_model)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_pytorch_computes_in_the_precision_asked_for(
    precision: str, tiny_model: Path, shared_data: Path, prompts: list[list[int]]
) -> None:
    cell = Cell(batch=1, prompt_length=16, new_tokens=4, precision=precision)
    lane = create("pytorch-eager")(
        Plan(
            model=tiny_model,
            model_digest="x",
            precision=precision,
            device="cpu",
            threads=1,
            sampling=Sampling(),
            cells=(cell,),
            cache=shared_data,
        )
    )
    lane.load()
    check_count(lane.generate(prompts[:1], 4), 1, 4)
    said = lane.statement()
    assert (said.compute_precision, said.weight_precision) == (precision, precision)


def test_conversion_is_done_once_and_again_when_the_model_differs(tiny_model: Path, shared_data: Path) -> None:
    with loaded("onnxruntime", tiny_model, shared_data) as lane:
        again = lane.prepare()
        assert again is not None
        assert again.cached
        assert again.nanoseconds > 0
        made = sorted((shared_data / "cache" / "onnxruntime").iterdir())
        assert all((folder / "prepared.json").is_file() for folder in made)
        assert lane.prepare() == again
        assert sorted((shared_data / "cache" / "onnxruntime").iterdir()) == made
