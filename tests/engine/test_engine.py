"""What goes into an engine, the folder that the tools see, the preflight, and what messages mean."""

from __future__ import annotations

import bisect
import datetime
import json
import re
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import factory
from trtbench.engine import build, contract, known_failures, model_folder, plan, preflight, tools
from trtbench.engine.plan import Inputs, Sizes
from trtbench.errors import UserError
from trtbench.lanes.tensorrt.engine import precision_of
from trtbench.lanes.tensorrt.runtime import metrics_of
from trtbench.machine import requirements
from trtbench.machine.checks import Check
from trtbench.machine.requirements import Gpu
from trtbench.model import kv_cache
from trtbench.settings.cells import Cell
from trtbench.settings.lanes import LANES
from trtbench.settings.reading import resolve


def cell(batch: int, prompt: int, new: int) -> Cell:
    return Cell(batch=batch, prompt_length=prompt, new_tokens=new, precision="float16")


def inputs(**more: Any) -> Inputs:
    fields: dict[str, Any] = dict(
        model="m" * 64,
        architecture="LlamaForCausalLM",
        precision="float16",
        sizes=Sizes(batch=1, input=128, sequence=328, num_tokens=128),
        tool="convert-llama",
        convert=["--dtype", "float16"],
        script="s",
        calibration=None,
        build=["--max_batch_size", "1"],
        tensorrt_llm="1.2.1",
        tensorrt="10.14.1.48",
        gpu="8.6",
    )
    return Inputs(**{**fields, **more})


@pytest.mark.parametrize(
    ("cells", "sizes"),
    [
        ([cell(1, 128, 200)], (1, 128, 328, 128)),
        ([cell(1, 16, 8)], (1, 16, 24, 32)),  # at least a block
        ([cell(4, 100, 50), cell(1, 300, 20)], (4, 300, 320, 400)),
        ([cell(64, 1024, 128)], (64, 1024, 1152, 8192)),  # the prompts of a batch take several steps
        ([cell(1, 20000, 10)], (1, 20000, 20010, 20000)),  # a prompt must fit into one step
        ([cell(512, 2, 2)], (512, 2, 4, 1024)),
    ],
)
def test_sizes_hold_every_cell_and_no_more(cells: list[Cell], sizes: tuple[int, ...]) -> None:
    found = plan.sizes_for(cells)
    assert (found.batch, found.input, found.sequence, found.num_tokens) == sizes


def profiles_of(tokens: int) -> list[list[int]]:
    """The ranges of tokens that the builder makes with several profiles, its fault up to 64 included: [least, best, most]."""
    if tokens <= 64:
        return [[size] * 3 for size in (1, tokens, tokens)]
    limits = [1, *(limit for limit in (64, 128, 256, 512, 1024) if limit < tokens), tokens]
    return [[low, high, high] for low, high in zip(limits, limits[1:])]


def profile_in_use(tokens: int, ranges: list[list[int]]) -> list[int]:
    """The one that the runtime takes for a step of so many tokens."""
    return ranges[bisect.bisect_left([64, 128, 256, 512, 1024], tokens)] if len(ranges) > 1 else ranges[0]


@given(
    batch=st.integers(1, 130),
    prompt=st.integers(1, 140) | st.integers(500, 9000),
    new=st.integers(1, 140),
)
@example(batch=1, prompt=24, new=8)
@example(batch=1, prompt=64, new=8)
@example(batch=1, prompt=65, new=8)
@example(batch=1, prompt=1, new=62)
@example(batch=2, prompt=32, new=1)
@example(batch=2, prompt=33, new=1)
@example(batch=64, prompt=1, new=1)
@example(batch=65, prompt=1, new=1)
def test_every_step_that_a_cell_can_have_is_in_the_profile_that_the_runtime_takes(
    batch: int, prompt: int, new: int
) -> None:
    sizes = plan.sizes_for([cell(batch, prompt, new)])
    flags = dict(zip(*[iter(plan.build_flags(sizes, "float16"))] * 2))
    corrected = max(min(sizes.num_tokens, sizes.sequence * sizes.batch), 32)
    assert plan.built_tokens(sizes) == corrected
    several = flags["--multiple_profiles"] == "enable"
    assert several == (corrected > 64)
    ranges = profiles_of(corrected) if several else [[1, min(corrected, batch), corrected]]
    for tokens in {1, batch, prompt, min(batch * prompt, corrected), *range(1, min(corrected, 130) + 1)}:
        least, _, most = profile_in_use(tokens, ranges)
        assert least <= tokens <= most, f"a step of {tokens} tokens"


@given(
    batch=st.integers(1, 80),
    sequence=st.integers(2, 200),
    tokens=st.integers(32, 300),
    precision=st.sampled_from(["float16", "fp8"]),
)
@example(batch=1, sequence=64, tokens=128, precision="float16")
@example(batch=1, sequence=65, tokens=128, precision="float16")
@example(batch=2, sequence=32, tokens=8192, precision="float16")
def test_profiles_go_by_what_the_builder_makes_of_the_tokens(
    batch: int, sequence: int, tokens: int, precision: str
) -> None:
    sizes = Sizes(batch=batch, input=1, sequence=sequence, num_tokens=tokens)
    flags = plan.build_flags(sizes, precision)
    value = flags[flags.index("--multiple_profiles") + 1]
    assert value == ("disable" if min(tokens, sequence * batch) <= 64 else "enable")
    assert flags[flags.index("--max_num_tokens") + 1] == str(tokens), "what is asked for is not hidden"


def test_the_kv_pool_counts_whole_blocks_of_each_sequence() -> None:
    assert kv_cache.kv_tokens([cell(4, 200, 100)], 32) == 40 * 32, "not ceil(1200 / 32) blocks, which are 38"
    assert kv_cache.kv_tokens([cell(2, 24, 8)], 32) == 64
    assert kv_cache.kv_tokens([cell(2, 24, 8)], 32, beyond=1) == 128
    assert kv_cache.kv_tokens([cell(1, 24, 8), cell(3, 8, 8)], 32) == 96


@pytest.mark.parametrize(
    ("change", "checkpoint_too"),
    [
        ({"model": "n" * 64}, True),
        ({"convert": ["--dtype", "bfloat16"]}, True),
        ({"script": "t"}, True),
        ({"calibration": "c"}, True),
        ({"tensorrt_llm": "1.2.0"}, True),
        ({"build": ["--max_batch_size", "2"]}, False),
        ({"tensorrt": "10.13"}, False),
        ({"gpu": "8.9"}, False),
        ({"tp_size": 2}, True),
    ],
)
def test_whatever_goes_in_makes_another_name(change: dict[str, Any], checkpoint_too: bool) -> None:
    one, other = inputs(), inputs(**change)
    assert plan.engine_name("a/b", one) != plan.engine_name("a/b", other)
    same = plan.checkpoint_name("a/b", one) == plan.checkpoint_name("a/b", other)
    assert same != checkpoint_too


def test_an_engine_of_one_card_keeps_the_name_that_it_had_before_there_were_several() -> None:
    sizes = inputs().sizes
    convert, build_flags = plan.convert_flags("LlamaForCausalLM", "float16"), plan.build_flags(sizes, "float16")
    assert convert == ["--dtype", "float16", "--workers", "1"]
    assert build_flags[-4:] == ["--workers", "1", "--log_level", "info"]
    one = inputs(convert=convert, build=build_flags)
    assert plan.checkpoint_name("a/b", one) == "b-float16-c3e7c41b4361"
    assert plan.engine_name("a/b", one) == "b-float16-b1-i128-s328-fe35b936e2c1"


@pytest.mark.parametrize("precision", ["float16", "int8", "fp8", "int4_awq"])
def test_the_checkpoint_says_over_how_many_cards_and_a_worker_for_each_builds(precision: str) -> None:
    convert = plan.convert_flags("LlamaForCausalLM", precision, 4)
    assert convert[convert.index("--tp_size") + 1] == "4"
    flags = plan.build_flags(inputs().sizes, precision, 4)
    assert "--tp_size" not in flags and flags[flags.index("--workers") + 1] == "4"
    of_four = inputs(precision=precision, convert=convert, build=flags, tp_size=4)
    assert plan.checkpoint_name("a/b", of_four) == f"b-{precision}-tp4-{of_four.checkpoint_key()}"
    assert plan.engine_name("a/b", of_four) == f"b-{precision}-b1-i128-s328-tp4-{of_four.engine_key()}"


@pytest.mark.parametrize(
    ("name", "slug"),
    [("TinyLlama/TinyLlama-1.1B-Chat-v1.0", "TinyLlama-1.1B-Chat-v1.0"), ("/a/b c/", "b-c"), ("..", "model")],
)
def test_names_are_file_names(name: str, slug: str) -> None:
    assert plan.slug(name) == slug


def test_an_unknown_architecture_names_what_is_known() -> None:
    with pytest.raises(UserError, match=r"FalconForCausalLM.*LlamaForCausalLM.*OPTForCausalLM.*docs/extending\.md"):
        plan.converter_for("FalconForCausalLM")


@pytest.mark.parametrize(
    ("wanted", "found"), [("auto", ["float16"]), ("float32,int8,bfloat16", ["int8", "bfloat16"]), ("fp8", ["fp8"])]
)
def test_precisions_that_engines_have(wanted: str, found: list[str]) -> None:
    settings, _ = resolve({"PRECISION": wanted}, environment={}, file=Path("no-such-file"))
    assert build.wanted_precisions(settings) == found


def test_float32_alone_is_refused() -> None:
    settings, _ = resolve({"PRECISION": "float32"}, environment={}, file=Path("no-such-file"))
    with pytest.raises(UserError, match=r"PRECISION='float32': TensorRT engines are built in float16, bfloat16, int8"):
        build.wanted_precisions(settings)


@pytest.mark.parametrize(
    ("dtype", "algorithm", "precisions"),
    [
        ("float16", None, ("float16", "float16")),
        ("bfloat16", None, ("bfloat16", "bfloat16")),
        ("float16", "W8A16", ("float16", "int8")),
        ("float16", "W4A16", ("float16", "int4")),
        ("float16", "FP8", ("fp8", "fp8")),
        ("float16", "W4A16_AWQ", ("float16", "int4_awq")),
        ("float16", "NVFP4", ("float16", "nvfp4")),
    ],
)
def test_the_precision_is_read_off_the_engine(dtype: str, algorithm: str | None, precisions: tuple[str, str]) -> None:
    assert precision_of(dtype, algorithm) == precisions


def timed(*seconds: float, blocks: Any = 0) -> Any:
    names = ("arrival_time", "first_scheduled_time", "first_token_time", "last_token_time")
    times = {name: datetime.timedelta(seconds=value) for name, value in zip(names, seconds)}
    return SimpleNamespace(
        timing_metrics=SimpleNamespace(**times), kv_cache_metrics=SimpleNamespace(num_reused_blocks=blocks)
    )


def test_the_engines_own_times_are_spans_from_the_arrival() -> None:
    found = metrics_of([timed(10.0, 10.001, 10.005, 10.1), timed(10.0, 10.002, 10.006, 10.2, blocks=3)])
    assert found is not None
    assert found.queued == [1_000_000, 2_000_000]
    assert found.ttft == [5_000_000, 6_000_000]
    assert found.e2e == [100_000_000, 200_000_000]
    assert found.reused_blocks == 3


@pytest.mark.parametrize("given", [[None], [timed(1.0, 2.0, 3.0)], [timed(1, 2, 3, 4), SimpleNamespace()]])
def test_missing_metrics_are_not_given_and_never_zero(given: list[Any]) -> None:
    assert metrics_of(given) is None


def test_unknown_reused_blocks_stay_unknown() -> None:
    found = metrics_of([timed(1, 2, 3, 4), timed(1, 2, 3, 4, blocks=None)])
    assert found is not None and found.reused_blocks is None


# ---- the folder that NVIDIA's tools see


def test_a_config_of_transformers_4_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"rope_theta": 1e6, "rope_parameters": {"rope_theta": 5.0}}))
    assert model_folder.for_tools(tmp_path, tmp_path / "cache") == tmp_path
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("rope", "theta", "scaling"),
    [
        ({"rope_theta": 500000.0, "rope_type": "default"}, 500000.0, None),
        ({"rope_theta": 10000.0}, 10000.0, None),
        (
            {"rope_theta": 500000.0, "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0},
            500000.0,
            {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0},
        ),
    ],
)
def test_a_config_of_transformers_5_gets_the_older_keys(
    rope: dict[str, Any], theta: float, scaling: Any, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text(json.dumps({"rope_parameters": rope, "hidden_size": 8}))
    (model / "model.safetensors").write_bytes(b"weights")
    folder = model_folder.for_tools(model, tmp_path / "cache")
    assert json.loads((folder / "config.json").read_text()) == {
        "hidden_size": 8,
        "rope_theta": theta,
        "rope_scaling": scaling,
    }
    assert (folder / "model.safetensors").read_bytes() == b"weights"
    assert model_folder.for_tools(model, tmp_path / "cache") == folder, "the same folder the next time"


@pytest.mark.parametrize(
    ("stated", "dtype", "same"),
    [
        ({"torch_dtype": "bfloat16"}, "bfloat16", True),
        ({"dtype": "float16"}, "float16", True),
        ({"torch_dtype": "bfloat16", "dtype": "bfloat16"}, "bfloat16", True),
        ({"torch_dtype": "bfloat16"}, "float16", False),
        ({"dtype": "float32"}, "bfloat16", False),
        ({"torch_dtype": "float16", "dtype": "bfloat16"}, "bfloat16", False),
        ({}, "bfloat16", False),
    ],
)
def test_the_folder_states_the_precision_that_is_computed_in(
    stated: dict[str, str], dtype: str, same: bool, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text(json.dumps(stated | {"hidden_size": 8}))
    (model / "model.safetensors").write_bytes(b"weights")
    folder = model_folder.for_tools(model, tmp_path / "cache", dtype=dtype)
    assert (folder == model) is same
    assert model_folder.stated_dtype(json.loads((folder / "config.json").read_text())) == dtype
    assert (folder / "model.safetensors").read_bytes() == b"weights"
    assert json.loads((model / "config.json").read_text()) == stated | {"hidden_size": 8}, (
        "the user's own is left alone"
    )
    assert model_folder.for_tools(model, tmp_path / "cache") == model, "nobody else asked for a data type"


@pytest.mark.parametrize("rope", [{"full_attention": {"rope_theta": 1.0}}, {"rope_type": "default"}, []])
def test_rope_that_the_older_keys_cannot_say_is_refused(rope: Any, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"rope_parameters": rope}))
    with pytest.raises(UserError, match="saved by transformers 5"):
        model_folder.for_tools(tmp_path, tmp_path / "cache")


def test_a_word_in_the_models_path_does_not_choose_another_loader(tmp_path: Path) -> None:
    model = tmp_path / "my-mpt-like"
    model.mkdir()
    (model / "config.json").write_text("{}")
    assert model_folder.for_tools(model, tmp_path / "cache") == model, "only quantize.py looks at it"
    linked = model_folder.for_tools(model, tmp_path / "cache", quantising=True)
    assert "mpt" not in str(linked)
    with pytest.raises(UserError, match=r"DATA_DIR: .*'mpt'"):
        model_folder.for_tools(model, tmp_path / "attempt", quantising=True)


@pytest.mark.parametrize("word", model_folder.CALIBRATION_WORDS)
def test_a_word_in_the_calibration_path_is_refused(word: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=word):
        model_folder.refuse_words(tmp_path / word.upper() / "set", model_folder.CALIBRATION_WORDS, "x")


# ---- preflight


def gpu(**more: Any) -> Gpu:
    fields: dict[str, Any] = dict(
        index=0, name="RTX 3060", capability=(8, 6), driver="590.44.01", total_mib=12288, free_mib=12000
    )
    return Gpu(**{**fields, **more})


@pytest.mark.parametrize(
    ("card", "sentence"),
    [
        (gpu(name="RTX 2080", capability=(7, 5)), "RTX 20xx, GTX 16xx, T4, V100 and older are not supported"),
        (gpu(driver="570.10"), "driver 570.10 is too old"),
        (gpu(total_mib=3072), "at least 4 GB are needed"),
    ],
)
def test_a_machine_that_cannot_do_is_refused(card: Gpu, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "query_gpus", lambda: ([card], ""))
    with pytest.raises(UserError, match=sentence):
        preflight.check_machine(["float16"])


def test_too_little_shared_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "query_gpus", lambda: ([gpu()], ""))
    monkeypatch.setattr(requirements, "_free_and_total_gb", lambda path: (0.064, 0.064, ""))
    with pytest.raises(UserError, match="shared memory free, 1 GB needed.*--ipc=host"):
        preflight.check_machine(["float16"])


def test_a_full_disk_is_refused_and_a_smaller_precision_needs_less(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(requirements, "_free_and_total_gb", lambda path: (4.0, 100.0, ""))
    with pytest.raises(UserError, match=r"4\.0 GB free .* 5\.4 GB needed"):
        preflight.check_disk(tmp_path, 2_000_000_000, ["float16"])
    preflight.check_disk(tmp_path, 2_000_000_000, ["int4"])


@pytest.mark.parametrize(
    ("visible", "index"),
    [
        (None, 0),
        ("", None),
        ("1", 1),
        ("1,0", 1),
        ("GPU-abc", 1),
        ("GPU-ab", None),
        ("GPU-x", None),
        ("7", None),
        ("MIG-x", 0),
    ],
)
def test_the_gpu_is_the_one_that_cuda_calls_the_first(
    visible: str | None, index: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuids = "0, GPU-abd-1\n1, GPU-abc-2\n"
    monkeypatch.setattr(preflight, "query_gpus", lambda: ([gpu(), gpu(index=1, capability=(8, 9))], ""))
    monkeypatch.setattr(requirements, "_nvidia_smi", lambda *words: (0, uuids, ""))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    found = preflight.gpu_in_use()
    assert (found.index if found else None) == index
    if index is None:
        (check,) = requirements_of_two(monkeypatch)
        assert check.level == "fail" and f"CUDA_VISIBLE_DEVICES='{visible}' names no GPU" in check.sentence
        return
    assert preflight.capability(found) == ("8.9" if index else "8.6")


def test_weights_that_the_card_does_not_hold_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "query_gpus", lambda: ([gpu(name="RTX 3050", total_mib=6144)], ""))
    large = msgspec.structs.replace(factory.model(), name="some/model", parameters=3_300_000_000)
    with pytest.raises(UserError, match=r"some/model has 6\.6 GB of weights in float16, and RTX 3050 has 6\.4 GB"):
        preflight.check_gpu_memory(large, "float16")
    preflight.check_gpu_memory(large, "int8")
    preflight.check_gpu_memory(msgspec.structs.replace(large, parameters=1_100_048_384), "float16")


def test_several_cards_hold_what_one_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "query_gpus", lambda: ([gpu(name="RTX 3050", total_mib=6144)] * 2, ""))
    large = msgspec.structs.replace(factory.model(), name="some/model", parameters=6_600_000_000)
    sentence = r"13\.2 GB of weights in float16, and 2 x RTX 3050 \(TP_SIZE=2\) have 12\.9 GB of memory; .* or a larger TP_SIZE"
    with pytest.raises(UserError, match=sentence):
        preflight.check_gpu_memory(large, "float16", 2)
    preflight.check_gpu_memory(large, "float16", 3)
    preflight.check_gpu_memory(msgspec.structs.replace(large, parameters=3_300_000_000), "float16", 2)


def test_an_engine_for_more_cards_than_there_are_is_built_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    good = Check("x", "ok", "all is well")
    monkeypatch.setattr(preflight, "gpu_checks", lambda: [good])
    monkeypatch.setattr(preflight, "shared_memory_check", lambda: good)
    monkeypatch.setattr(preflight, "query_gpus", lambda: ([gpu(), gpu(index=1)], ""))
    assert preflight.check_machine(["float16"], 2) == [good, good]
    (warning,) = [check for check in preflight.check_machine(["float16"], 4) if check.level == "warn"]
    assert warning.sentence == "TP_SIZE=4: the engine is for 4 cards, and nvidia-smi lists 2."


def requirements_of_two(monkeypatch: pytest.MonkeyPatch) -> list[Check]:
    monkeypatch.setattr(requirements, "query_gpus", lambda: ([gpu(), gpu(index=1, capability=(8, 9))], ""))
    return requirements.gpu_checks()


def test_a_model_that_fills_the_card_is_loaded_into_host_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "query_gpus", lambda: ([gpu(free_mib=8000)], ""))
    assert not preflight.too_large_for_gpu(3_000_000_000)
    assert preflight.too_large_for_gpu(4_000_000_000)
    assert plan.on_cpu_flags("convert-llama") == ["--load_model_on_cpu"]
    assert plan.on_cpu_flags("convert-opt") == [], "it has no such flag"


# ---- what messages mean


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("RuntimeError: The NVIDIA driver on your system is too old (found version 12040)", "old-driver"),
        ("forward compatibility was attempted on non supported HW", "old-driver"),
        ("torch.AcceleratorError: CUDA error: uncorrectable ECC error encountered", "lost-gpu"),
        ("NVRM: Xid 79, GPU has fallen off the bus.", "lost-gpu"),
        ("pynvml.NVMLError_GpuIsLost: GPU is lost", "lost-gpu"),
        ("torch.AcceleratorError: CUDA error: unspecified launch failure", "gpu-fault"),
        ("CUDA error: an illegal memory access was encountered", "gpu-fault"),
        ("CUDA error: no kernel image is available for execution on the device", "unsupported-gpu"),
        (
            "generated on an incompatible device, expecting compute 8.9 got compute 8.6\nFailed to deserialize",
            "other-gpu",
        ),
        ("Version tag does not match.\nFailed to deserialize cuda engine", "other-tensorrt"),
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate", "out-of-memory"),
        ("Error Code 2: OutOfMemory (Requested size was 33555480576 bytes.)", "out-of-memory"),
        ("Assertion failed: Failed to deserialize cuda engine.", "damaged-engine"),
        ("Runtime configured max batch size (5) must not exceed engine max batch size (4)", "engine-too-small"),
        (
            "[TensorRT-LLM][ERROR] 3: [executionContext.cpp::setInputShape::2309] Error Code 3: API Usage Error (Parameter "
            "check failed at: runtime/api/executionContext.cpp::setInputShape::2309, condition: satisfyProfile Runtime "
            "dimension does not satisfy any optimization profile.)",
            "no-profile",
        ),
        ("Set dimension [24] for tensor input_ids does not satisfy any optimization profiles.", "no-profile"),
        (
            "ptxas application ptx input, line 57; error   : Instruction 'griddepcontrol' requires .target sm_90 or higher\n"
            "RuntimeError: Executor worker returned error",
            "pdl-before-sm90",
        ),
        ("Signal: Bus error (7)", "bus-error"),
        ("All nodes which are allocated for this job are already filled.\nMPI_ERR_SPAWN", "mpi-slots"),
        ("mpirun has detected an attempt to run as root.", "mpi-root"),
        ("prted has detected an attempt to run as root.", "mpi-root"),
        ("MPI_ERR_SPAWN: could not spawn processes", "mpi-spawn"),
        (
            "Exception in thread Thread-1 (_manager_spawn):\n"
            "    comm = MPI.COMM_SELF.Spawn(python_exe, args, max_workers, info)\n"
            "mpi4py.MPI.Exception: MPI_ERR_UNKNOWN: unknown error",
            "mpi-spawn",
        ),
        ("PRTE ERROR: Unreachable in file state/state_base.c at line 1", "mpi-spawn"),
        ("It looks like opal_init failed for some reason", "mpi-init"),
        ("ImportError: libmpi.so.40: cannot open shared object file", "no-libmpi"),
        ("ModuleNotFoundError: No module named 'tensorrt'", "no-tensorrt"),
        ("No module named 'tensorrt_llm._tensorrt_engine'", "no-engine-runtime"),
        ("Unknown architecture for AutoModelForCausalLM: OPTForCausalLM", "unknown-architecture"),
        ("ConnectionError: Couldn't reach 'x' on the Hub (LocalEntryNotFoundError)", "calibration"),
        ("ValueError: `rope_scaling` must be a dictionary with two fields", "other-transformers"),
        ("before the\n        current process has finished its bootstrapping phase.", "main-guard"),
        ("OSError: [Errno 28] No space left on device", "disk-full"),
        ("trtllm-build: error: unrecognized arguments: --max_output_len", "unknown-flag"),
        ("RuntimeError: Executor worker died during initialization", "worker-died"),
    ],
)
def test_known_messages_are_recognised(text: str, name: str) -> None:
    found = known_failures.explain(f"some line before\n{text}\nand one after")
    assert found is not None and found.name == name


def test_each_symptom_has_an_example_above() -> None:
    marks = test_known_messages_are_recognised.pytestmark  # type: ignore[attr-defined]
    assert {row[1] for row in marks[0].args[1]} == {symptom.name for symptom in known_failures.SYMPTOMS}


def test_what_is_true_of_tensorrt_llm_alone_hides_nothing_from_another_lane() -> None:
    text = "Version tag does not match\nLaunch failed: no kernel image is available\nCUDA out of memory"
    assert [known_failures.explain(text, family).name for family in ("tensorrt", "tensorrt-rtx", "vllm")] == [  # type: ignore[union-attr]
        "unsupported-gpu",
        "out-of-memory",
        "out-of-memory",
    ]


def test_what_is_said_of_every_lane_is_true_outside_of_tensorrt_llm_and_its_image() -> None:
    of_every_lane = [s for s in (*known_failures.SYMPTOMS, known_failures.KILLED) if s.family == known_failures.EVERY]
    of_every_lane.append(known_failures.slow_start("vllm"))
    untrue = re.compile(
        r"T(?:ensor)?RT|TLLM|MPI\b|build_engine|release:|this image|start the container|executor|PRECISION="
    )
    assert [s.name for s in of_every_lane if untrue.search(f"{s.reason} {s.remedy}")] == []
    assert {s.name for s in of_every_lane} >= {"out-of-memory", "lost-gpu", "gpu-fault", "disk-full", "old-driver"}
    assert {s.family for s in known_failures.SYMPTOMS} <= {row.family for row in LANES.values()} | {
        known_failures.EVERY
    }


@pytest.mark.parametrize("text", ["", "No module named 'tensorrt_llm'", "all is well", "Loaded engine size: 2 MiB"])
def test_other_lines_mean_nothing(text: str) -> None:
    assert known_failures.explain(text) is None


@pytest.mark.parametrize(
    ("status", "text", "sentence"),
    [
        (-signal.SIGKILL, "", "the system ended the process (SIGKILL)"),
        (-signal.SIGBUS, "", "--ipc=host"),
        (-signal.SIGSEGV, "last line", "was ended by SIGSEGV: last line"),
        (3, "first\nKeyError: 'x'\n", "failed with status 3: KeyError: 'x'"),
        (3, "", "failed with status 3 and said nothing"),
        (1, "CUDA out of memory\nTraceback", "CUDA out of memory; close other programs"),
    ],
)
def test_a_failed_tool_gets_one_sentence_with_its_log(status: int, text: str, sentence: str, tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text(f"$ tool --flag\n{text}")
    said = tools.failed("tool", status, log)
    assert sentence in said and said.endswith(f"Its messages are in {log}.")


def test_the_committed_prompts_calibrate() -> None:
    texts = plan.calibration_texts()
    flags = plan.convert_flags("LlamaForCausalLM", "fp8")
    assert flags[flags.index("--calib_size") + 1] == str(len(texts))
    assert all(len(text) > 20 for text in texts)


def test_inputs_survive_the_file() -> None:
    one = inputs(sizes=Sizes(batch=2, input=3, sequence=4, num_tokens=32))
    again = msgspec.json.decode(msgspec.json.encode(one), type=Inputs)
    assert again == one and again.engine_key() == one.engine_key()
    older = {name: value for name, value in msgspec.to_builtins(one).items() if name != "tp_size"}
    assert msgspec.convert(older, Inputs) == one, "an engine.json from before there were several cards"


def test_every_architecture_has_a_tool_of_the_contract() -> None:
    for architecture, row in contract.load()["architectures"].items():
        assert plan.tool_for(architecture, "float16") == row["tool"]
        assert plan.tool_for(architecture, "fp8") == "quantize"
