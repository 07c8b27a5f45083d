"""A run on the machine that Ray chose, with the scripts of the clone in place of a measurement: what it is given, what it is not,
and how it ends. Real processes, by the text that Ray gives to a shell."""

from __future__ import annotations

import ast
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trtbench.fleet.handed_back import handed_back, reason
from trtbench.fleet.ray_jobs import ENTRYPOINT
from trtbench.settings.knobs import ALIASES, ROOT, ROWS

HOSTILE = """$(touch x) `touch x` ${HOME} '"'"'; touch x # \\ * ~ é 中"""
RUN = {"id": "cpu-demo-float32-1-0a1b2c3d", "model": "demo", "precision": "float32", "settings": {}, "docker": False}
RECORD = """
env -0 >>"$RECORD"
printf '%s\\0' "=== $0 $*" >>"$RECORD"
"""
MEASURE = f"""{RECORD}
[ "$1" = --install ] && exit 0
mkdir -p "$RESULTS_DIR/runs/20260102-030405"
{{BODY}}
"""
COMPARE = """
import os, sys
from pathlib import Path
place, file = sys.argv[sys.argv.index("--results-dir") + 1], sys.argv[sys.argv.index("--bundle") + 1]
Path(file).write_bytes(b"a bundle of " + place.encode())
sys.exit(int(os.environ.get("COMPARE_STATUS", "0")))
"""
NVIDIA_SMI = """#!/bin/sh
printf '0, GPU-aa\\n1, GPU-bb\\n'
"""


class Clone:
    """A clone with this package and scripts of its own, and a machine with its environment."""

    def __init__(self, root: Path) -> None:
        self.root, self.record = root, root / "record"
        package = root / "scripts" / "trtbench"
        package.mkdir(parents=True)
        for name in ("__init__.py", "errors.py"):
            shutil.copy(ROOT / "scripts" / "trtbench" / name, package)
        for room in ("settings", "fleet"):
            shutil.copytree(
                ROOT / "scripts" / "trtbench" / room, package / room, ignore=shutil.ignore_patterns("__pycache__")
            )
        self.script("lib.sh", 'python_command() { echo python3; }\nhas_tensorrt() { [ -n "${TENSORRT:-}" ]; }')
        for name in ("bench_local.sh", "run_all.sh"):
            self.measures(name, "echo measured")
        self.script("up.sh", RECORD)
        (root / "scripts" / "compare.py").write_text(COMPARE)
        tools = root / "tools"
        tools.mkdir()
        (tools / "python3").symlink_to(sys.executable)
        (tools / "nvidia-smi").write_text(NVIDIA_SMI)
        (tools / "nvidia-smi").chmod(0o755)
        self.environment = {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "HOME": str(root),
            "RECORD": str(self.record),
            "TRTBENCH_FLEET_CLONE": str(root),
            "DATA_DIR": str(root / "data"),
        }

    def script(self, name: str, body: str) -> None:
        (self.root / "scripts" / name).write_text(f"{body}\n")

    def measures(self, name: str, body: str) -> None:
        self.script(name, MEASURE.replace("{BODY}", body))

    def start(self, run: dict[str, Any] | str, **additions: str) -> subprocess.Popen[str]:
        text = run if isinstance(run, str) else json.dumps(run)
        return subprocess.Popen(
            ENTRYPOINT,
            shell=True,
            cwd="/",
            env={**self.environment, "TRTBENCH_FLEET_RUN": text, **additions},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def __call__(self, run: dict[str, Any] | str, **additions: str) -> tuple[int, str]:
        process = self.start(run, **additions)
        said, _ = process.communicate(timeout=60)
        return process.returncode, said

    def calls(self) -> list[tuple[str, dict[str, str]]]:
        """Each script that ran, with its arguments, and the environment that it had."""
        calls, environment = [], {}
        for part in (self.record.read_text() if self.record.exists() else "").split("\0"):
            name, equals, value = part.partition("=")
            if part.startswith("=== "):
                calls.append((part[4:], environment))
                environment = {}
            elif equals:
                environment[name] = value
        return calls


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "a clone")


def asked(**fields: Any) -> dict[str, Any]:
    return {**RUN, **fields}


def test_a_run_is_made_by_this_projects_command_and_handed_back(clone: Clone) -> None:
    status, said = clone(asked(settings={"TRIALS": "1"}))
    assert status == 0, said
    assert [call for call, _ in clone.calls()] == [
        "scripts/bench_local.sh --install",
        "scripts/bench_local.sh --pick-up",
    ]
    environment = clone.calls()[1][1]
    assert (environment["MODEL_NAME"], environment["PRECISION"], environment["TRIALS"]) == ("demo", "float32", "1")
    sent = handed_back(said)
    place = clone.root / "data" / "results" / "fleet-runs" / sent.machine / RUN["id"]
    assert (sent.card, sent.bundle) == ("", f"a bundle of {place}".encode())
    assert environment["RESULTS_DIR"] == str(place)
    assert said.startswith("measured\n")


def test_nothing_of_ray_and_no_setting_of_the_machine_reaches_the_run(clone: Clone) -> None:
    places = {
        "DATA_DIR": str(clone.root / "elsewhere"),
        "EXAMPLES_DIR": "/examples",
        "OFFLINE": "1",
        "HF_TOKEN": "secret",
    }
    strange = {
        **{name: "7" for name in (*ROWS, *ALIASES) if name not in ("RESULTS_DIR", *places)},
        **{"RAY_ADDRESS": "127.0.0.1:1", "RAY_AUTH_TOKEN": "secret", "RAY_JOB_CONFIG_JSON_ENV_VAR": "{}"},
        **{
            "OMP_NUM_THREADS": "1",
            "PYTHONBREAKPOINT": "ray.util.rpdb.set_trace",
            "TRTBENCH_COMMAND": "bash scripts/fleet.sh",
        },
        "TRTBENCH_EXCLUSIVE": "/lock",
    }
    tools = clone.root / ".venv-fleet" / "bin"
    status, said = clone(
        asked(settings={"NEW_TOKENS": "8"}),
        **{**strange, **places, "PATH": f"{tools}:{clone.environment['PATH']}", "VIRTUAL_ENV": str(tools.parent)},
        PYTHONPATH="/of/the/machine",
    )
    assert status == 0, said
    environment = clone.calls()[1][1]
    settings = {name: value for name, value in environment.items() if name in {*ROWS, *ALIASES}}
    assert settings == {
        **places,
        **{"MODEL_NAME": "demo", "PRECISION": "float32", "NEW_TOKENS": "8", "REPORT_LANG": "en", "LOG_LEVEL": "info"},
        "RESULTS_DIR": environment["RESULTS_DIR"],
    }
    assert environment["RESULTS_DIR"].startswith(f"{clone.root}/elsewhere/results/fleet-runs/")
    left = [
        name for name in environment if name.startswith(("RAY_", "TRTBENCH_FLEET_", "OMP_", "PYTHONBREAK", "VIRTUAL"))
    ]
    assert left == [] and not {"TRTBENCH_COMMAND", "TRTBENCH_EXCLUSIVE"} & set(environment)
    assert str(tools) not in environment["PATH"] and environment["PYTHONPATH"] == "/of/the/machine"


@pytest.mark.parametrize("field", ["model", "HEADLINE", "PROMPTS_FILE"])
def test_what_looks_like_a_command_is_a_value(clone: Clone, field: str) -> None:
    run = asked(model=HOSTILE) if field == "model" else asked(settings={field: HOSTILE})
    status, said = clone(run, PROMPTS_FILE="")
    if field != "PROMPTS_FILE":
        assert status == 0, said
        assert clone.calls()[1][1][{"model": "MODEL_NAME"}.get(field, field)] == HOSTILE
    assert list(clone.root.rglob("x")) == [] and not Path("/x").exists()


@pytest.mark.parametrize(
    ("run", "sentence"),
    [
        ("", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "has not the fields id, model"),
        ({**RUN, "command": "touch x"}, "has not the fields"),
        (asked(docker="yes"), "docker='yes' is not valid; it takes a bool"),
        (asked(settings=["TRIALS"]), "it takes a dict"),
        (asked(id="../../x"), "id='../../x' is not valid"),
        (asked(id="a\n"), r"id='a\\n' is not valid"),
        (asked(id=""), "id='' is not valid"),
        (asked(fleet="a/b"), "fleet='a/b' is not valid"),
        (asked(model="a\nTRIALS=1"), r"MODEL_NAME='a\\nTRIALS=1' is not valid; it takes a text in one line"),
        (asked(model="x" * 5000), "MODEL_NAME='xxx"),
        (asked(model=" "), "MODEL_NAME=' ' is not valid"),
        (asked(precision="float17"), "PRECISION='float17' is not valid: it takes"),
        (asked(settings={"PATH": "/tmp"}), "'PATH' is no setting that a fleet may give"),
        (asked(settings={"LD_PRELOAD": "/tmp/x.so"}), "'LD_PRELOAD' is no setting"),
        (asked(settings={"HF_TOKEN": "x"}), "'HF_TOKEN' is no setting"),
        (asked(settings={"RESULTS_DIR": "/etc"}), "'RESULTS_DIR' is no setting"),
        (asked(settings={"GPU_INDEX": "1"}), "'GPU_INDEX' is no setting"),
        (asked(settings={"TRIALS": 1}), "TRIALS=1 is not valid; it takes a text"),
        (asked(settings={"TRIALS": "many"}), "TRIALS='many' is not valid: it takes auto or a whole number"),
        (asked(settings={"HEADLINE": "a\0b"}), "HEADLINE="),
    ],
)
def test_what_is_no_run_is_refused_before_anything_starts(
    clone: Clone, run: dict[str, Any] | str, sentence: str
) -> None:
    process = subprocess.run(
        [sys.executable, "-B", "-m", "trtbench.fleet.on_machine"],
        cwd=clone.root,
        env={
            **clone.environment,
            "PYTHONPATH": "scripts",
            "TRTBENCH_FLEET_RUN": run if isinstance(run, str) else json.dumps(run),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.returncode == 2
    assert "Traceback" not in process.stdout and process.stdout.count("\n") == 1
    assert re.search(sentence, process.stdout), process.stdout
    assert clone.calls() == []


def test_a_setting_of_the_clone_that_the_plan_does_not_have_is_refused(clone: Clone) -> None:
    (clone.root / ".env").write_text("TRIALS=1\nHF_TOKEN=secret\nREPORT_LANG=fr\nMODEL_NAME=other\n")
    status, said = clone(RUN)
    assert status == 2 and "sets TRIALS, and the plan does not" in reason(said) and clone.calls() == []
    assert clone(asked(settings={"TRIALS": "3"}))[0] == 0
    environment = clone.calls()[1][1]
    assert (environment["TRIALS"], environment["MODEL_NAME"], environment["REPORT_LANG"]) == ("3", "demo", "en")


@pytest.mark.parametrize(("status", "handed"), [(0, True), (3, True), (2, False), (130, False)])
def test_a_void_verdict_is_handed_back_and_a_failure_is_not(clone: Clone, status: int, handed: bool) -> None:
    clone.measures("bench_local.sh", f"echo error: so it went.; exit {status}")
    ended, said = clone(RUN, COMPARE_STATUS=str(status if handed else 0))
    assert ended == (0 if handed else status)
    assert ("BEGIN TRTBENCH BUNDLE" in said) is handed
    if not handed:
        assert reason(said) == "error: so it went"


def test_a_failing_environment_or_comparison_is_the_runs_failure(clone: Clone) -> None:
    clone.script("bench_local.sh", "echo error: no network.; exit 5")
    assert clone(RUN) == (5, "error: no network.\n")
    clone.measures("bench_local.sh", "true")
    (clone.root / "scripts" / "compare.py").write_text("import sys; sys.exit('error: no finished trial')")
    status, said = clone(RUN)
    assert (status, said) == (1, "error: no bundle could be made of the run: error: no finished trial\n")


def test_the_signal_that_ended_a_run_is_its_status(clone: Clone) -> None:
    clone.measures("bench_local.sh", "kill -9 $$")
    assert clone(RUN)[0] == 137


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_it_alone_ends_the_run_too(clone: Clone, number: signal.Signals) -> None:
    clone.measures(
        "bench_local.sh", "trap 'echo ending; touch ended; exit 130' TERM INT; touch begun; while :; do sleep 0.1; done"
    )
    process = clone.start(RUN)
    wait_for((clone.root / "begun").exists)
    process.send_signal(number)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 128 + number and "ending" in said and "BUNDLE" not in said
    assert (clone.root / "ended").exists()


def test_nothing_outlives_it_when_it_is_killed(clone: Clone) -> None:
    """As Ray does when its part of a machine dies: the job's own process and no other, with SIGKILL."""
    clone.measures("bench_local.sh", "trap 'touch ended; exit 1' TERM; (sleep 300) & touch begun; wait")
    process = clone.start(RUN)
    wait_for((clone.root / "begun").exists)
    assert os.getpgid(process.pid) == process.pid
    process.kill()
    process.communicate(timeout=30)
    wait_for((clone.root / "ended").exists)

    def empty() -> bool:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return True
        return False

    wait_for(empty)


def test_what_was_placed_here_before_is_waited_for(clone: Clone) -> None:
    _, said = clone(RUN)
    place = clone.root / "data" / "results" / "fleet-runs" / handed_back(said).machine / RUN["id"]
    clone.measures("bench_local.sh", "touch begun")
    with (place / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = clone.start(RUN)
        time.sleep(1)
        assert process.poll() is None and not (clone.root / "begun").exists()
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 0 and (clone.root / "begun").exists()


def test_a_log_of_any_bytes_and_length_can_be_read(clone: Clone) -> None:
    long = "import sys; sys.stdout.buffer.write(b'\\xff\\xfe first' + b'x' * 3_000_000 + b' last\\n')"
    clone.measures("bench_local.sh", f'python3 -c "{long}"')
    process = clone.start(RUN)
    assert process.stdout is not None
    said = process.stdout.buffer.read()
    assert process.wait() == 0
    assert len(said) < 1_500_000
    text = said.decode()
    assert text.startswith("�� first") and "characters left out" in text and " last\n" in text
    assert handed_back(text).card == ""


def test_a_machine_with_tensorrt_llm_runs_what_builds_the_engine(clone: Clone) -> None:
    cards = {"TRTBENCH_FLEET_CARDS": "1", "CUDA_VISIBLE_DEVICES": "1", "TENSORRT": "1"}
    status, said = clone(RUN, **cards)
    assert status == 0, said
    assert [call for call, _ in clone.calls()] == ["scripts/run_all.sh --pick-up"]
    environment = clone.calls()[0][1]
    assert (environment["CUDA_VISIBLE_DEVICES"], environment["CUDA_DEVICE_ORDER"]) == ("1", "PCI_BUS_ID")
    first = handed_back(said)
    assert first.card != "" and handed_back(clone(RUN, **cards)[1]).card == first.card
    other = handed_back(clone(RUN, **{**cards, "CUDA_VISIBLE_DEVICES": "0"})[1])
    assert other.machine == first.machine and other.card != first.card


def test_a_run_without_cards_sees_none(clone: Clone) -> None:
    status, said = clone(RUN, CUDA_VISIBLE_DEVICES="0,1", TENSORRT="1")
    assert status == 0 and handed_back(said).card == ""
    assert [call for call, _ in clone.calls()][-1] == "scripts/bench_local.sh --pick-up"
    assert clone.calls()[-1][1]["CUDA_VISIBLE_DEVICES"] == ""


@pytest.mark.parametrize("visible", [None, "", "0", "0,0", "0,1,2"])
def test_cards_that_are_not_those_that_were_promised_are_refused(clone: Clone, visible: str | None) -> None:
    given = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    status, said = clone(RUN, TRTBENCH_FLEET_CARDS="2", **given)
    assert status == 2 and "another run could use the same card" in said and clone.calls() == []


@pytest.mark.parametrize(
    ("cards", "visible", "settings", "index"),
    [("1", "3", {}, "3"), ("2", "5,4", {"TP_SIZE": "2"}, "4"), ("4", "0,1,2,3", {}, "0")],
)
def test_docker_is_given_the_cards_that_ray_gave(
    clone: Clone, cards: str, visible: str, settings: dict[str, str], index: str
) -> None:
    status, said = clone(
        asked(docker=True, settings=settings), TRTBENCH_FLEET_CARDS=cards, CUDA_VISIBLE_DEVICES=visible
    )
    assert status == 0, said
    ((call, environment),) = clone.calls()
    assert call == "scripts/up.sh auto" and environment["GPU_INDEX"] == index
    assert "CUDA_VISIBLE_DEVICES" not in environment
    assert handed_back(said).bundle == f"a bundle of {clone.root}/data/results".encode()


@pytest.mark.parametrize(
    ("visible", "sentence"), [("0,2", "those that follow each other"), ("GPU-aa,GPU-bb", "by their numbers")]
)
def test_cards_that_docker_cannot_be_given_are_refused(clone: Clone, visible: str, sentence: str) -> None:
    run = asked(docker=True, settings={"TP_SIZE": "2"})
    status, said = clone(run, TRTBENCH_FLEET_CARDS="2", CUDA_VISIBLE_DEVICES=visible)
    assert status == 2 and sentence in said and clone.calls() == []


def test_docker_without_a_card_takes_the_profile_of_the_processor(clone: Clone) -> None:
    assert clone(asked(docker=True))[0] == 0
    assert [call for call, _ in clone.calls()] == ["scripts/up.sh cpu"]


def test_two_runs_in_containers_come_one_after_the_other(clone: Clone) -> None:
    """Both are the service of one Compose project, and the second would end the first."""
    clone.script("up.sh", "[ ! -e busy ] || exit 9; touch busy; sleep 1; rm busy")
    both = [clone.start(asked(docker=True, id=name)) for name in ("one", "two")]
    assert [process.wait(30) for process in both] == [0, 0]
    for process in both:
        process.communicate()


def test_what_is_finished_is_not_measured_again_for_the_same_fleet(clone: Clone) -> None:
    finish = """
echo '{"stopped": "all trials"}' >"$RESULTS_DIR/runs/20260102-030405/run.json"
touch "$RESULTS_DIR/benchmark_comparison_report.json"
"""
    clone.measures("bench_local.sh", finish)
    assert clone(asked(fleet="f1"))[0] == 0
    status, said = clone(asked(fleet="f1"))
    assert status == 0 and handed_back(said).bundle.endswith(f"/f1/{RUN['id']}".encode())
    assert len(clone.calls()) == 2, "the second was handed back as it was"
    assert clone(asked(fleet="f2"))[0] == 0
    assert len(clone.calls()) == 4


def test_what_was_cut_off_is_gone_on_with(clone: Clone) -> None:
    clone.measures(
        "bench_local.sh", """echo '{"stopped": null}' >"$RESULTS_DIR/runs/20260102-030405/run.json"; exit 1"""
    )
    assert clone(asked(fleet="f1"))[0] == 1
    clone.measures("bench_local.sh", "true")
    assert clone(asked(fleet="f1"))[0] == 0
    assert [call for call, _ in clone.calls()][-1] == "scripts/bench_local.sh --pick-up"


@pytest.mark.parametrize("name", ["on_machine", "asked_run"])
def test_a_machines_own_python_can_read_it(name: str) -> None:
    """3.8, and nothing of another package: it runs before anything is installed."""
    tree = ast.parse((ROOT / "scripts" / "trtbench" / "fleet" / f"{name}.py").read_text(), feature_version=(3, 8))
    modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    allowed = {"trtbench.errors", "trtbench.fleet.asked_run", "trtbench.settings.knobs", "trtbench.settings.reading"}
    assert {module for module in modules if module.startswith("trtbench")} <= allowed
    assert {module.partition(".")[0] for module in modules} - {"trtbench"} <= sys.stdlib_module_names
