"""scripts/build_engine.sh on the stand-in: what is built, what is not built twice, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from cuda_library import cuda_library
from standin.kit import CONTRACT, HERE, Workshop
from standin.product import SCRIPTS, Product

pytestmark = pytest.mark.slow


@pytest.fixture
def product(built: Product, tmp_path: Path) -> Product:
    """The engine is built already; the test may change anything."""
    return built.copied(tmp_path / "data")


def only(product: Product) -> dict[str, Any]:
    (engine,) = product.engines().values()
    return engine


@pytest.mark.ngc
def test_the_script_builds_and_the_second_time_nothing_runs(tiny_model: Path, tmp_path: Path) -> None:
    product = Product(tiny_model, tmp_path / "data")
    first = product.run("bash", str(SCRIPTS / "build_engine.sh"))
    assert first.returncode == 0, first.stdout
    folder = Path(first.stdout.splitlines()[-1])
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "engine.json", "rank0.engine"]
    written = {path: path.stat().st_mtime_ns for path in product.data.glob("engines/**/*") if path.is_file()}
    again = product.run("bash", str(SCRIPTS / "build_engine.sh"))
    assert again.returncode == 0, again.stdout
    assert "nothing that went in has changed" in again.stdout
    assert again.stdout.splitlines()[-1] == str(folder)
    after = {path: path.stat().st_mtime_ns for path in product.data.glob("engines/**/*") if path.is_file()}
    changed = {path.name for path in after if after[path] != written.get(path)}
    assert changed <= {".lock"}


def test_engine_json_tells_all_that_went_in_and_what_it_cost(built: Product) -> None:
    engine = only(built)
    assert engine["simulated"] is True
    assert engine["inputs"]["sizes"] == {"batch": 2, "input": 56, "sequence": 64, "num_tokens": 112}
    assert engine["built"]["sizes"] == engine["inputs"]["sizes"]
    assert (engine["inputs"]["tensorrt_llm"], engine["inputs"]["tensorrt"]) == ("1.2.1", "10.14.1.48")
    assert (engine["inputs"]["gpu"], engine["gpu_name"]) == ("8.6", "Simulated GPU")
    assert engine["built"]["gemm_plugin"] == "float16" and engine["built"]["multiple_profiles"] is True
    # 2 layers x 2 KV heads x 16 wide x key and value x 2 bytes
    assert engine["built"]["kv_bytes_per_token"] == 2 * 2 * 2 * 16 * 2
    convert, build = engine["steps"]
    assert (convert["name"], build["name"]) == ("convert_checkpoint.py", "trtllm-build")
    assert engine["build_seconds"] == pytest.approx(convert["seconds"] + build["seconds"], abs=0.002)
    assert all(Path(step["log"]).read_text().startswith("$ ") for step in engine["steps"])
    assert "Total time of building all engines" in Path(build["log"]).read_text()
    words = build["command"]
    for flag in CONTRACT["build_flags"]:
        assert flag in words, f"{flag} must be explicit"
    assert not set(words) & set(CONTRACT["tools"]["trtllm-build"]["removed"])
    file = built.data / "engines" / engine["name"] / "rank0.engine"
    assert engine["files"]["rank0.engine"]["bytes"] == file.stat().st_size
    assert not (built.data.parent / "model.cache").exists(), "the timing cache does not lie where the user stands"


def test_the_probe_is_saved_and_agrees_with_the_contract(built: Product) -> None:
    probe = json.loads((built.data / "engines" / "contract_probe.json").read_text())
    assert probe["differences"] == []
    assert set(CONTRACT["tools"]) <= set(probe["asked"])
    assert probe["versions"]["tensorrt_llm"] == "1.2.1"


@pytest.mark.parametrize(
    ("settings", "converts"),
    [
        ({"NEW_TOKENS": "9"}, False),
        ({"STANDIN_SM": "8.9"}, False),
        ({"STANDIN_TENSORRT": "10.15.0.1"}, False),
        ({"PRECISION": "bfloat16"}, True),
    ],
)
def test_anything_else_builds_another_engine(product: Product, settings: dict[str, str], converts: bool) -> None:
    if "STANDIN_TENSORRT" in settings:
        # A real new version changes the package's files, and so the probe's stamp; here only a variable says so.
        (product.data / "engines" / "contract_probe.json").unlink()
    done = product.build(**settings)
    assert done.returncode == 0, done.stdout
    assert len(product.engines()) == 2
    assert ("converting" in done.stdout) == converts


def test_another_model_of_the_same_name_is_another_engine(product: Product, tmp_path: Path) -> None:
    source, other = Path(product.settings["MODEL_NAME"]), tmp_path / "tiny"
    other.mkdir()
    for file in source.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    data = bytearray((other / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (other / "model.safetensors").write_bytes(data)
    product.settings["MODEL_NAME"] = str(other)
    done = product.build()
    assert done.returncode == 0, done.stdout
    assert "converting" in done.stdout and len(product.engines()) == 2


def test_old_names_are_translated_and_the_old_flag_never_reaches_the_tool(product: Product) -> None:
    for name in ("BATCH_SIZES", "PROMPT_LENGTHS", "NEW_TOKENS"):
        del product.settings[name]
    done = product.build("--max-output-len", "8", "--max-batch-size", "2", MAX_INPUT_LEN="56")
    assert done.returncode == 0, done.stdout
    assert "is there" in done.stdout and len(product.engines()) == 1


@pytest.mark.parametrize(("family", "tool"), [("gpt2", "models/core/gpt"), ("opt", "models/contrib/opt")])
def test_other_families_have_their_own_converter(family: str, tool: str, product: Product, workshop: Workshop) -> None:
    product.settings["MODEL_NAME"] = str(workshop.model(family))
    done = product.build()
    assert done.returncode == 0, done.stdout
    (engine,) = [engine for engine in product.engines().values() if "model-" in engine["name"]]
    assert tool in " ".join(engine["steps"][0]["command"])
    assert ("--gpt_variant" in engine["steps"][0]["command"]) == (family == "gpt2")


@pytest.mark.parametrize(
    ("precision", "algorithm", "plugin"),
    [("int8", "W8A16", "float16"), ("int4_awq", "W4A16_AWQ", "float16"), ("fp8", "FP8", None)],
)
def test_quantised_engines_need_no_network(
    precision: str, algorithm: str, plugin: str | None, product: Product
) -> None:
    done = product.build(PRECISION=precision, STANDIN_SM="8.9")
    assert done.returncode == 0, done.stdout
    (engine,) = [engine for engine in product.engines().values() if engine["inputs"]["precision"] == precision]
    assert (engine["built"]["quant_algo"], engine["built"]["gemm_plugin"]) == (algorithm, plugin)
    if precision != "int8":
        command = engine["steps"][0]["command"]
        folder = Path(command[command.index("--calib_dataset") + 1])
        assert [path.name for path in folder.iterdir()] == ["train.jsonl"]


def test_fp8_is_refused_on_a_card_without_it(product: Product) -> None:
    done = product.build(PRECISION="fp8")
    assert done.returncode == 2
    assert "PRECISION=fp8 needs compute capability 8.9 or newer, and this GPU has 8.6" in done.stdout


def test_a_killed_build_goes_on_where_it_was(tiny_model: Path, tmp_path: Path) -> None:
    product = Product(tiny_model, tmp_path / "data")
    killed = product.build(STANDIN_FAIL="killed-build")
    assert killed.returncode == 2
    assert "trtllm-build failed: the system ended the process (SIGKILL)" in killed.stdout
    assert product.engines() == {}
    assert len(list(product.data.glob("checkpoints/*/rank0.safetensors"))) == 1
    again = product.build()
    assert again.returncode == 0, again.stdout
    assert "converting" not in again.stdout and "checkpoint" in again.stdout
    assert only(product)["steps"][0]["cached"] is True
    assert list(product.data.glob("*/.*.making")) == []


def test_sigkill_of_the_whole_command_leaves_no_tool_and_no_half_engine(tiny_model: Path, tmp_path: Path) -> None:
    product = Product(tiny_model, tmp_path / "data")
    child = product.start("python", "-m", "trtbench.engine")
    assert child.stdout is not None
    for line in child.stdout:
        if "converting" in line:
            break
    tools = wait_for(lambda: descendants(child.pid))
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in tools))
    assert product.engines() == {}
    done = product.build()
    assert done.returncode == 0, done.stdout
    assert len(product.engines()) == 1 and list(product.data.glob("*/.*.making")) == []


def descendants(pid: int) -> list[int]:
    import psutil

    return [process.pid for process in psutil.Process(pid).children(recursive=True)]


def wait_for(condition: Any, seconds: float = 15.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def test_two_builds_at_once_build_once(tiny_model: Path, tmp_path: Path) -> None:
    product = Product(tiny_model, tmp_path / "data")
    both = [product.start("python", "-m", "trtbench.engine") for _ in range(2)]
    said = [child.communicate(timeout=200)[0] for child in both]
    assert [child.returncode for child in both] == [0, 0], said
    assert sum("building engine" in text for text in said) == 1
    assert sum("nothing that went in has changed" in text for text in said) == 1
    assert sum("is running; waiting for it" in text for text in said) == 1


def test_a_converter_that_writes_nothing_is_caught(tiny_model: Path, tmp_path: Path) -> None:
    product = Product(tiny_model, tmp_path / "data")
    done = product.build(STANDIN_FAIL="no-weights")
    assert done.returncode == 2
    assert "convert_checkpoint.py ended without an error and wrote no rank0.safetensors" in done.stdout
    assert list(product.data.glob("checkpoints/*/")) == [] and product.engines() == {}


def test_a_damaged_engine_is_built_again(product: Product) -> None:
    file = product.data / "engines" / only(product)["name"] / "rank0.engine"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    done = product.build()
    assert done.returncode == 0, done.stdout
    assert "its SHA-256 differs" in done.stdout and "building engine" in done.stdout
    assert "converting" not in done.stdout


def test_rebuild_does_everything_again(product: Product) -> None:
    done = product.build("--rebuild")
    assert done.returncode == 0, done.stdout
    assert "converting" in done.stdout and "building engine" in done.stdout and len(product.engines()) == 1


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"STANDIN_SM": "7.5"}, "RTX 20xx, GTX 16xx, T4, V100 and older are not supported by this release"),
        ({"STANDIN_DRIVER": "550.90.07"}, "NVIDIA driver 550.90.07 is too old"),
        ({"STANDIN_GPU_MEMORY_MB": "3072"}, "at least 4 GB are needed"),
        ({"STANDIN_GPU": "0"}, "No NVIDIA GPU"),
    ],
)
def test_preflight_refuses_before_anything_is_asked(settings: dict[str, str], sentence: str, tmp_path: Path) -> None:
    product = Product(tmp_path / "no-model-is-looked-for", tmp_path / "data")
    done = product.build(**settings)
    assert done.returncode == 2
    assert sentence in done.stdout
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"STANDIN_DRIVER": "550.90.07", "STANDIN_GPU_NAME": "NVIDIA H100 80GB HBM3"},
            "warning: CUDA 13.1 runs by forward compatibility: NVIDIA driver 550.90.07, CUDA from the image.",
        ),
        (
            {"STANDIN_GPU_MEMORY_MB": "6144"},
            "warning: Simulated GPU has 6.0 GiB of memory: enough for small models only",
        ),
    ],
)
def test_preflight_warns_and_the_build_goes_on(settings: dict[str, str], sentence: str, tmp_path: Path) -> None:
    product = Product(tmp_path / "no-model", tmp_path / "data")
    done = product.build(**settings, LD_LIBRARY_PATH=cuda_library(tmp_path / "compat"))
    assert sentence in done.stdout
    assert done.returncode == 2 and "no-model' is not a folder" in done.stdout.splitlines()[-1]


def test_preflight_tells_why_cuda_does_not_start(tmp_path: Path) -> None:
    product = Product(tmp_path / "no-model-is-looked-for", tmp_path / "data")
    name = "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE"
    library = cuda_library(tmp_path / "compat", 804, 13010, name)
    done = product.build(
        STANDIN_DRIVER="570.133.07", STANDIN_GPU_NAME="NVIDIA GeForce RTX 4090", LD_LIBRARY_PATH=library
    )
    assert done.returncode == 2
    assert f"CUDA does not start on NVIDIA GeForce RTX 4090 with NVIDIA driver 570.133.07: {name} (804)" in done.stdout
    assert "forward compatibility is not for this card: install driver 580 or newer" in done.stdout
    assert not (tmp_path / "data").exists()


def changed_contract(folder: Path, change: Any) -> str:
    contract = json.loads(json.dumps(CONTRACT))
    change(contract)
    path = folder / "other.json"
    path.write_text(json.dumps(contract))
    return str(path)


def test_a_difference_in_what_is_used_stops_the_build_before_the_model(tmp_path: Path) -> None:
    def change(contract: dict[str, Any]) -> None:
        del contract["tools"]["trtllm-build"]["flags"]["--multiple_profiles"]

    product = Product(tmp_path / "no-model-is-looked-for", tmp_path / "data")
    done = product.build(STANDIN_CONTRACT=changed_contract(tmp_path, change))
    assert done.returncode == 2
    assert "trtllm-build has no --multiple_profiles" in done.stdout
    assert "contract_probe.json lists every difference" in done.stdout


def test_a_difference_elsewhere_is_listed_and_the_build_goes_on(product: Product, tmp_path: Path) -> None:
    def change(contract: dict[str, Any]) -> None:
        flags = contract["tools"]["trtllm-build"]["flags"]
        del flags["--visualize_network"]
        flags["--brand_new"] = {"type": "str", "default": None}
        flags["--max_batch_size"]["default"] = 4096
        del contract["python"]["tensorrt_llm.LLM"]["fields"]["enable_autotuner"]
        del contract["tools"]["convert-opt"]["flags"]["--workers"]

    (product.data / "engines" / "contract_probe.json").unlink()
    done = product.build(STANDIN_CONTRACT=changed_contract(tmp_path, change))
    assert done.returncode == 0, done.stdout
    assert "5 differences from the contract, 2 in what is used" in done.stdout
    probe = json.loads((product.data / "engines" / "contract_probe.json").read_text())
    found = {(d["where"], d["what"], d["name"], d["used"]) for d in probe["differences"]}
    assert found == {
        ("trtllm-build", "missing", "--visualize_network", False),
        ("trtllm-build", "new", "--brand_new", False),
        ("trtllm-build", "default", "--max_batch_size", False),
        ("tensorrt_llm.LLM", "missing", "enable_autotuner", True),
        ("convert-opt", "missing", "--workers", True),
    }


def test_another_architecture_is_named_with_what_is_supported(product: Product, tmp_path: Path) -> None:
    source, other = Path(product.settings["MODEL_NAME"]), tmp_path / "qwen"
    other.mkdir()
    for file in source.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    config = json.loads((other / "config.json").read_text()) | {"architectures": ["Qwen2ForCausalLM"]}
    (other / "config.json").write_text(json.dumps(config))
    product.settings["MODEL_NAME"] = str(other)
    done = product.build()
    assert done.returncode == 2
    assert "its architecture is Qwen2ForCausalLM, and engines are built for LlamaForCausalLM" in done.stdout
    assert "docs/extending.md" in done.stdout


def test_own_code_is_refused_before_any_tool_sees_the_folder(product: Product, tmp_path: Path) -> None:
    other = tmp_path / "own-code"
    other.mkdir()
    for file in Path(product.settings["MODEL_NAME"]).iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    config = json.loads((other / "config.json").read_text()) | {
        "auto_map": {"AutoModel": "evil.Evil"},
        "model_type": "evil",
    }
    (other / "config.json").write_text(json.dumps(config))
    product.settings["MODEL_NAME"] = str(other)
    done = product.build()
    assert done.returncode == 2
    assert "auto_map" in done.stdout and "converting" not in done.stdout


def test_rope_of_a_transformers_5_folder_reaches_the_checkpoint(product: Product, tmp_path: Path) -> None:
    other = tmp_path / "newer"
    other.mkdir()
    for file in Path(product.settings["MODEL_NAME"]).iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    config = json.loads((other / "config.json").read_text())
    for name in ("rope_theta", "rope_scaling"):
        config.pop(name)
    config["rope_parameters"] = {"rope_theta": 500000.0, "rope_type": "default"}
    (other / "config.json").write_text(json.dumps(config))
    product.settings["MODEL_NAME"] = str(other)
    done = product.build()
    assert done.returncode == 0, done.stdout
    (found,) = product.data.glob("engines/newer-*/config.json")
    assert json.loads(found.read_text())["pretrained_config"]["rotary_base"] == 500000.0
    assert "rope_parameters" in (other / "config.json").read_text(), "the user's folder is never written to"


def without(product: Product, *names: str) -> str:
    """A PATH on which the stand-in's programs of these names are missing."""
    folder = product.data.parent / "bin"
    folder.mkdir()
    for program in (HERE / "bin").iterdir():
        if program.name not in names:
            (folder / program.name).symlink_to(program)
    kept = product.environment()["PATH"].split(os.pathsep)
    return os.pathsep.join([str(folder), *(part for part in kept if part != str(HERE / "bin"))])


def test_an_image_without_trtllm_build_says_which_one_has_it(product: Product) -> None:
    done = product.build(PATH=without(product, "trtllm-build"))
    assert done.returncode == 2
    assert "without trtllm-build" in done.stdout and "release:1.2.1" in done.stdout
    assert "tensorrt-pytorch is the only TensorRT-LLM lane" in done.stdout


def test_without_tensorrt_llm_the_sentence_names_the_image(product: Product) -> None:
    environment = product.environment(PATH=without(product, "trtllm-build")) | {"PYTHONPATH": str(SCRIPTS)}
    done = subprocess.run(
        ["python", "-m", "trtbench.engine"], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "engines are built in NVIDIA's image" in done.stderr and "bench_local.sh" in done.stderr


def test_a_wrong_examples_folder_is_named(product: Product, tmp_path: Path) -> None:
    product.settings["EXAMPLES_DIR"] = str(tmp_path)
    (product.data / "engines" / "contract_probe.json").unlink()
    done = product.build()
    assert done.returncode == 2
    assert "convert-llama is not here" in done.stdout


@pytest.mark.parametrize(("visible", "capability"), [("", "8.6"), ("1", "8.9")])
def test_of_two_unlike_cards_the_build_takes_the_one_that_the_run_takes(
    visible: str, capability: str, tiny_model: Path, tmp_path: Path
) -> None:
    product = Product(tiny_model, tmp_path / "data")
    cards = {"STANDIN_SM": "8.6,8.9", "STANDIN_GPU": "2", "CUDA_VISIBLE_DEVICES": visible, "CUDA_DEVICE_ORDER": ""}
    assert product.build(**cards).returncode == 0
    (folder,) = (note.parent for note in product.data.glob("engines/*/engine.json"))
    assert only(product)["inputs"]["gpu"] == capability
    assert f'"compute_capability": "{capability}"'.encode() in (folder / "rank0.engine").read_bytes()[:400]
    done = product.bench(**cards)
    assert done.returncode == 0, done.stdout


def test_a_converter_that_imports_from_the_examples_is_run(tiny_model: Path, tmp_path: Path) -> None:
    examples = Path(shutil.copytree(HERE / "examples", tmp_path / "app" / "examples"))
    (examples / "_deprecation.py").write_text("NAME = 'deprecated'\n")
    script = examples / "models" / "core" / "llama" / "convert_checkpoint.py"
    script.write_text(script.read_text().replace("import sys\n", "import sys\nimport examples._deprecation\n", 1))
    product = Product(tiny_model, tmp_path / "data")
    done = product.build(EXAMPLES_DIR=str(examples))
    assert done.returncode == 0, done.stdout
