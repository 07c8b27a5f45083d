"""Every command in a fenced block of a document is run: here as typed, or by the test that hands it to `as_shown`. What can't be
run anywhere stands below with the reason, and is read by the program's own parsers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloning import bring_changes
from documents import DOCUMENTS, apart, commands, fences, handed_over, in_block, run_by_others, spans, without_fences
from lacking import lacking
from standin.product import Product
from trtbench.settings.knobs import ROOT
from trtbench.settings.options import parser
from trtbench.settings.reading import resolve

CARD = "needs an NVIDIA card"
MACHINE = "changes the machine itself"
TESTS = "these are the tests; CI's own command runs them"
CLUSTER = "needs a cluster; docs/fleet.md says what was tried, and tests/fleet/test_start_files.py reads its files"
# Commands that nothing here can run, and why.
CANNOT = {
    "bash scripts/test.sh": TESTS,
    "bash scripts/test.sh --fast": TESTS,
    "bash scripts/test.sh --lint": TESTS,
    "bash scripts/test.sh tests/figures -k speedup": TESTS,
    "python3 -m pip download -d wheels torch==2.13.0 -r requirements/local.lock --extra-index-url "
    "https://download.pytorch.org/whl/cpu": "hundreds of megabytes; a test below holds what it names",
    'docker run --rm --gpus all --shm-size 2g --ulimit memlock=-1 -v "$PWD:/workspace" -w /workspace '
    "nvcr.io/nvidia/tensorrt-llm/release:1.2.1 bash scripts/run_all.sh": CARD,
    "docker run --rm --gpus all ubuntu nvidia-smi": CARD,
    "TP_SIZE=2 bash scripts/bench_local.sh": "needs two NVIDIA cards",
    "nvidia-smi --query-gpu=name,driver_version,compute_cap,memory.total --format=csv": CARD,
    "MODEL_NAME=tinyllama PRECISION=float16 BATCH_SIZES=1,8,32 HEADLINE=vllm TIME_BUDGET=1210 "
    "LANES=pytorch-eager,pytorch-compile,pytorch-tuned,pytorch-triton,vllm,onnxruntime bash scripts/bench_local.sh": CARD,
    "curl -fsSL https://nvidia.github.io/libnvidia-container/gpgkey | "
    "sudo gpg --dearmor -o /usr/share/keyrings/nvidia-container-toolkit-keyring.gpg": MACHINE,
    "curl -fsSL https://nvidia.github.io/libnvidia-container/stable/deb/nvidia-container-toolkit.list | "
    "sed 's#deb https://#deb [signed-by=/usr/share/keyrings/nvidia-container-toolkit-keyring.gpg] https://#' | "
    "sudo tee /etc/apt/sources.list.d/nvidia-container-toolkit.list": MACHINE,
    "sudo apt-get update": MACHINE,
    "sudo apt-get install -y nvidia-container-toolkit": MACHINE,
    "sudo nvidia-ctk runtime configure --runtime=docker": MACHINE,
    "sudo systemctl restart docker": MACHINE,
    'sudo chown -R "$USER" data': MACHINE,
    "bash scripts/fleet.sh --install": "hundreds of megabytes",
    "bash scripts/fleet.sh PLAN.yaml": CLUSTER,
    "RAY_AUTH_MODE=token bash scripts/fleet.sh PLAN.yaml --address http://127.0.0.1:8265": CLUSTER,
    "ssh -N -L 8265:127.0.0.1:8265 HEAD": CLUSTER,
    "export RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0": CLUSTER,
    "(umask 077; .venv-fleet/bin/ray get-auth-token --generate >/dev/null)": CLUSTER,
    ".venv-fleet/bin/ray start --head --port=6379 --dashboard-host=127.0.0.1 --num-cpus=0 --num-gpus=0": CLUSTER,
    ".venv-fleet/bin/ray start --address=HEAD:6379 --labels=site=paris --resources='{\"epyc\": 1}'": CLUSTER,
    ".venv-fleet/bin/ray up docs/examples/fleet/cluster.yaml": CLUSTER,
    ".venv-fleet/bin/ray dashboard docs/examples/fleet/cluster.yaml": CLUSTER,
    ".venv-fleet/bin/ray down docs/examples/fleet/cluster.yaml": CLUSTER,
    "sbatch --nodes=4 --gpus-per-node=8 docs/examples/fleet/slurm.sh PLAN.yaml": CLUSTER,
    "kubectl apply -f docs/examples/fleet/kubernetes.yaml": CLUSTER,
    "kubectl port-forward --address 127.0.0.1 service/fleet-head-svc 8265:8265": CLUSTER,
}
FOUND = commands()
OTHERS = run_by_others()
HERE = [command for command in FOUND if command not in CANNOT and command not in OTHERS]
# Real models are large and lie elsewhere: a tiny one takes their place, and all else is as typed.
LARGE = ("--model-name tinyllama", "--model-name facebook/opt-1.3b", "MODEL_NAME=./model")
# Those that need TensorRT-LLM run on the stand-in.
ENGINE = ("run_all.sh", "build_engine.sh", "bench_trt.sh")
QUICK = {
    "TRIALS": "1",
    "QUIET": "warn",
    "TRY_SETTINGS": "0",
    "NUM_ITERATIONS": "1",
    "WARMUP_LIMIT": "2",
    "PROMPT_LENGTHS": "16",
    "NEW_TOKENS": "4",
    "THREADS": "1",
}
# Of each family a lane is run once; where all would run, one is enough to see that the command is right.
LANES = {
    "bash scripts/bench_local.sh": "pytorch-eager,onnxruntime,openvino",
    "bash scripts/bench_onnx.sh": "onnxruntime",
    "bash scripts/bench_openvino.sh": "openvino",
    "bash scripts/run_all.sh": "pytorch-eager,tensorrt-engine",
    "bash scripts/bench_trt.sh": "tensorrt-engine",
}
# The table that README.md tells of.
CLAIMS = """name,batch,new tokens,latency (ms),tokens/s,precision
PyTorch,1,200,627.9,864.4,float16
TensorRT,1,200,260.3,2723.2,float16
"""
# Exit statuses other than 0 that are an answer: a claim that can't be true; something that is missing, on whatever machine this
# is; Docker, which is out of reach; one trial a lane, by which a gate can't judge.
ANSWERS = {
    "trtbench.possible": (1,),
    "trtbench.claims": (1,),
    "doctor.sh": (0, 1),
    "setup_nvidia_auth": (3,),
    "--fail-on-regression": (2,),
}
BENCHMARK = re.compile(r"scripts/(bench_\w+|run_all|build_engine)\.sh")


def test_the_documents_show_commands() -> None:
    assert {"bash scripts/bench_local.sh", "bash scripts/test.sh --fast"} <= set(FOUND)
    assert len(HERE) > 15 and len(OTHERS) > 5


def test_what_is_said_to_be_run_elsewhere_or_nowhere_is_shown_and_in_one_place_only() -> None:
    assert set(CANNOT) - set(FOUND) == set()
    assert set(OTHERS) - set(FOUND) == set()
    assert set(CANNOT) & set(OTHERS) == set()


def test_words_in_a_test_are_no_run() -> None:
    """A command counts where a test hands it over to be run, not where its text stands."""
    run = 'def test_it(clone):\n    as_shown(clone.run, "a b", X="1")\n'
    assert handed_over(run, "here") == {"a b": "here::test_it"}
    for words in (
        'def test_it(clone):\n    """as_shown(clone.run, "a b")"""\n',
        'def test_it(clone):\n    assert "a b" in TEXT  # as_shown(clone.run, "a b")\n',
        'def helper(clone):\n    as_shown(clone.run, "a b")\n',
        'def test_it(clone):\n    as_shown("a b")\n',
    ):
        assert handed_over(words, "here") == {}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_stand_in_fenced_blocks(path: Path) -> None:
    """What is set off by blanks alone is no block that the tests look into."""
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"(?:^|\n\n)    (?! *[-*\d]).*", without_fences(text)) == []
    assert {kind for kind, _ in fences(text)} <= {"bash", "text", "toml", "json", "python"}


def test_commands_are_read_as_a_shell_reads_them() -> None:
    block = 'a \\\n  b  # why\n# all of it\n\ncurl x |\n  sed "s#y#z#" |\n  tee w\n'
    assert [*in_block(block)] == ["a b", 'curl x | sed "s#y#z#" | tee w']
    assert apart('A=1 B="2 3" bash x.sh "4 5"') == ({"A": "1", "B": "2 3"}, ["bash", "x.sh", "4 5"])
    assert fences("- x\n\n  ```bash\n  a\n  ```\n") == [("bash", "a\n")]


def read_by_its_parser(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call of the benchmark: its flags are flags, and its settings are settings with these values."""
    settings, words = apart(command)
    flags = [word for word in words[2:] if word != "--rebuild"]
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    resolve(vars(parser("bench").parse_args(flags)), file=Path("none"))


SHOWN = sorted({*FOUND, *(span for span, _ in spans())})


@pytest.mark.parametrize(
    "command", [c for c in SHOWN if BENCHMARK.search(c) and "…" not in c and " " in c and "docker" not in c]
)
def test_calls_of_the_benchmark_are_understood(command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my.json").write_text("[]", encoding="utf-8")  # that the reader is said to have
    if "--lanes pytorch-eager,toy" not in command:  # the lane that docs/extending.md adds
        read_by_its_parser(command, monkeypatch)


def test_scripts_and_modules_in_sentences_are_there() -> None:
    for span, path in spans():
        for script in re.findall(r"(?:bash |python3? |\./)((?:\w+/)*\w+\.(?:sh|py))\b", span):
            assert (ROOT / script).is_file(), f"{path}: {span}"
        for module in re.findall(r"python3? -m (trtbench(?:\.\w+)*)", span):
            place = ROOT / "scripts" / module.replace(".", "/")
            assert place.is_dir() or place.with_suffix(".py").is_file(), f"{path}: {span}"


def test_profiles_are_shown_with_their_service() -> None:
    services: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    shown = set()
    for path in DOCUMENTS:
        shown |= set(re.findall(r"--profile (\S+) (?:up|run --rm) ([\w-]+)", path.read_text(encoding="utf-8")))
    assert shown == {(service["profiles"][0], name) for name, service in services.items()}
    profiles = {profile for command in FOUND for profile in re.findall(r"up\.sh (\S+)", command)}
    assert profiles == {profile for profile, _ in shown} - {"manual"}


def test_cis_command_runs_the_tests() -> None:
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert lines[-1] == "bash scripts/test.sh"


def test_the_wheels_to_carry_are_those_that_the_scripts_install() -> None:
    (command,) = {command for command in FOUND if "pip download" in command}
    library = (ROOT / "scripts" / "lib.sh").read_text(encoding="utf-8")
    torch = re.search(r"^TORCH_VERSION=(\S+)", library, re.MULTILINE)
    index = re.search(r"^TORCH_INDEX=\$\{TORCH_INDEX-(\S+)\}", library, re.MULTILINE)
    assert torch and index
    wanted = f"torch=={torch[1]} -r requirements/local.lock --extra-index-url {index[1]}/cpu"
    assert command == f"python3 -m pip download -d wheels {wanted}"
    assert (ROOT / "requirements" / "local.lock").is_file()


class Typing:
    """A shell in which commands are typed one after the other, from a clone on; python3 is the one that runs these tests."""

    def __init__(self, top: Path, model: Path) -> None:
        self.top = self.place = top
        self.model = model
        (top / "no-docker").mkdir()
        for name in ("bash", "mktemp", "rm", "dirname", "cat"):
            (top / "no-docker" / name).symlink_to(str(shutil.which(name)))

    def environment(self, command: str) -> dict[str, str]:
        lanes = LANES.get(command, "pytorch-eager")
        here = {**os.environ, **QUICK, "MODEL_NAME": str(self.model), "LANES": lanes}
        if any(script in command for script in ENGINE):
            here = Product(self.model, self.place / "data").environment(LANES=lanes)
        path = str(self.top / "no-docker") if "setup_nvidia_auth" in command else here["PATH"]
        # TRTBENCH_IMAGE: the interpreter on PATH in place of an environment of its own
        return {**here, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{path}", "TRTBENCH_IMAGE": "tests"}

    def __call__(self, command: str) -> None:
        if command.startswith("cd "):
            self.place = self.place / command.removeprefix("cd ")
            assert (self.place / "README.md").is_file()
            bring_changes(self.place)
            self.bring_files()
            return
        typed = command.replace("git clone ADDRESS ", f"git clone --quiet {ROOT} ")
        for large in LARGE:
            typed = typed.replace(large, re.sub(r"(?<=[ =])\S+$", str(self.model), large))
        if "docker compose" in typed:  # what it would do is what Compose makes of it
            if not shutil.which("docker"):
                lacking("docker is not installed")
            typed = re.sub(r" up \S+$", " config --quiet", typed)
        done = subprocess.run(
            ["bash", "-c", typed],
            cwd=self.place,
            env=self.environment(command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
        )
        # 3: the referee voids a verdict, which the tiny model may deserve.
        expected = next((status for part, status in ANSWERS.items() if part in command), (0, 3))
        assert done.returncode in expected, f"{command}\n{done.stdout}{done.stderr}"
        if "--fail-on-regression" in command:
            assert "too few trials" in done.stderr
        if "setup_nvidia_auth" in command:
            assert "Docker is not installed" in done.stderr

    def bring_files(self) -> None:
        """What the reader is said to have: a table of claims, a key."""
        (self.place / "claims.csv").write_text(CLAIMS, encoding="utf-8")
        (self.place / "key.txt").write_text("nvapi-" + "a" * 64 + "\n", encoding="utf-8")


@pytest.mark.slow
def test_commands_run_as_typed_one_after_the_other(tmp_path: Path, tiny_model: Path) -> None:
    if not (ROOT / ".git").exists():
        lacking("this is no clone of git")
    typing = Typing(tmp_path, tiny_model)
    for command in HERE:
        typing(command)
        if command == "python3 scripts/compare.py":
            the_files_of_the_table_are_there(typing.place / "data" / "results")


def the_files_of_the_table_are_there(results: Path) -> None:
    """What a finished run leaves is what README.md's table says; hidden files aside."""
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("| file | what it is |")[2].partition("\n\n")[0]
    patterns = [
        name.replace("<id>", "*") for name in re.findall("`(.*?)`", "".join(re.findall(r"(?m)^\| (`.*?) \|", table)))
    ]
    left = {path for path in results.rglob("*") if path.is_file() and not path.name.startswith(".")}
    told = {pattern: set(results.glob(pattern)) for pattern in patterns}
    assert left - set().union(*told.values()) == set()
    empty = [pattern for pattern, files in told.items() if not files]
    assert all(pattern.endswith("_benchmark.json") for pattern in empty) and len(empty) < len(patterns) / 2, empty
