"""The doctor's checks as functions: what they return, and that nothing they meet makes them raise."""

from __future__ import annotations

import ast
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import trtbench
from trtbench import errors
from trtbench.doctor import __main__ as doctor
from trtbench.doctor import access, card, clean, docker, estimate, needed, report, ways
from trtbench.engine import contract
from trtbench.errors import UserError
from trtbench.machine import checks, cuda_driver, requirements
from trtbench.machine.checks import Check
from trtbench.model import (
    built_in,
    decoders,
    files,
    hub_errors,
    offline,
    pickled,
    placeholders,
    vocabulary,
    whereabouts,
)
from trtbench.records import lock
from trtbench.settings import choosing, env_file, environments, knobs, lanes, options, reading, sealed
from trtbench.settings.knobs import Settings

OWN = (doctor, access, card, clean, docker, estimate, needed, report, ways, errors)
SHARED = (
    checks,
    cuda_driver,
    requirements,
    contract,
    built_in,
    decoders,
    files,
    hub_errors,
    offline,
    pickled,
    placeholders,
    vocabulary,
    whereabouts,
    lock,
    choosing,
    env_file,
    environments,
    knobs,
    lanes,
    options,
    reading,
    sealed,
)
MODULES = (*OWN, *SHARED)
SOURCES = [Path(module.__file__ or "") for module in (trtbench, *MODULES)]
# Imported by functions that the doctor doesn't call.
LATER = {"hub_errors": {"huggingface_hub.errors"}, "vocabulary": {"tokenizers"}}
SCRIPTS = access.ROOT / "scripts"
GOOD_GPU = "0, NVIDIA GeForce RTX 4070, 580.95.05, 12282, 11800, 8.9"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """An empty PATH, and a way to put a program on it: name, body of a shell script."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def put(name: str, body: str) -> None:
        file = folder / name
        file.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        file.chmod(0o755)

    return put


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def nvidia_smi(*rows: str) -> str:
    return "/bin/cat <<'ROWS'\n" + "\n".join(rows) + "\nROWS"


def df(free_kib: int, total_kib: int = 10**9) -> str:
    head = "Filesystem 1024-blocks Used Available Capacity Mounted on"
    return f"/bin/cat <<'ROWS'\n{head}\n/dev/x y {total_kib} 1 {free_kib} 1% /\nROWS"


# ---- GPU


def test_a_supported_gpu_gives_four_ok_checks(programs: Callable[[str, str], None]) -> None:
    programs("nvidia-smi", nvidia_smi(GOOD_GPU))
    checks = requirements.gpu_checks(ask_driver=False)
    assert [(check.name, check.level) for check in checks] == [
        ("gpu", "ok"),
        ("compute-capability", "ok"),
        ("driver", "ok"),
        ("gpu-memory", "ok"),
    ]
    assert checks[3].figures == {"total_mib": 12282, "free_mib": 11800}


@pytest.mark.parametrize(
    ("capability", "level"),
    [
        *[(old, "fail") for old in ("7.0", "7.5")],
        *[(built_for, "ok") for built_for in ("8.0", "8.6", "8.9", "9.0", "10.0", "12.0")],
        *[(other, "warn") for other in ("8.7", "10.3", "12.1", "[N/A]")],
    ],
)
def test_compute_capability(programs: Callable[[str, str], None], capability: str, level: str) -> None:
    programs("nvidia-smi", nvidia_smi(f"0, Some GPU, 590.44.01, 24576, 24000, {capability}"))
    assert by_name(requirements.gpu_checks())["compute-capability"].level == level


@pytest.mark.parametrize(
    ("driver", "level"),
    [("535.183.01", "fail"), ("579.99", "fail"), ("580.65.06", "ok"), ("1000.1", "ok"), ("?", "warn")],
)
def test_driver_is_compared_as_a_number(programs: Callable[[str, str], None], driver: str, level: str) -> None:
    programs("nvidia-smi", nvidia_smi(f"0, Some GPU, {driver}, 24576, 24000, 8.9"))
    assert by_name(requirements.gpu_checks(ask_driver=False))["driver"].level == level


def test_memory_shared_with_the_cpu_is_unknown_and_not_zero(programs: Callable[[str, str], None]) -> None:
    programs("nvidia-smi", nvidia_smi("0, NVIDIA GB10, 580.95.05, [N/A], [N/A], 12.1"))
    check = by_name(requirements.gpu_checks())["gpu-memory"]
    assert (check.level, check.figures["total_mib"]) == ("warn", None)


def test_a_driver_too_old_for_compute_cap_is_asked_without_it(programs: Callable[[str, str], None]) -> None:
    programs(
        "nvidia-smi",
        'case "$*" in *compute_cap*) echo "Field \\"compute_cap\\" is not a valid field to query."; exit 2;; esac\n'
        'echo "0, Tesla V100, 470.82.01, 16160, 16000"',
    )
    checks = by_name(requirements.gpu_checks())
    assert checks["driver"].level == "fail"
    assert checks["compute-capability"].level == "warn"


def test_without_nvidia_smi_one_failed_check(programs: Callable[[str, str], None]) -> None:
    assert [(check.name, check.level) for check in requirements.gpu_checks()] == [("gpu", "fail")]


def test_a_program_that_hangs_is_given_up(
    programs: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    programs("nvidia-smi", "exec /bin/sleep 30")
    monkeypatch.setattr(requirements.run_program, "__kwdefaults__", {"seconds": 0.3})
    (check,) = requirements.gpu_checks()
    assert check.level == "fail"
    assert "no answer within 0.3 seconds" in check.sentence


SECOND = GOOD_GPU.replace("0,", "1,", 1)


@pytest.fixture
def cards(programs: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Check]]:
    """The checks for so many cards of those that nvidia-smi lists, with these variables set."""

    def checks(tp_size: int, *rows: str, **variables: str) -> list[Check]:
        for name in ("GPU_INDEX", "CUDA_VISIBLE_DEVICES"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        programs("nvidia-smi", nvidia_smi(*rows))
        return requirements.gpu_checks(ask_driver=False, tp_size=tp_size)

    return checks


def test_cards_that_a_model_is_split_over_are_counted(cards: Callable[..., list[Check]]) -> None:
    names = [check.name for check in cards(1, GOOD_GPU, SECOND)]
    assert "cards" not in names
    found = cards(2, GOOD_GPU, SECOND)
    assert [check.name for check in found] == [*names, "cards"]
    assert (found[-1].level, found[-1].figures) == ("ok", {"needed": 2, "used": [0, 1]})
    for chosen in ({"GPU_INDEX": "1"}, {"CUDA_VISIBLE_DEVICES": "1,2"}):
        few = by_name(cards(2, GOOD_GPU, SECOND, **chosen))["cards"]
        ((name, value),) = chosen.items()
        said = f"TP_SIZE=2 needs 2 cards, and 1 of the 2 of this machine can be seen ({name}={value})."
        assert (few.level, few.sentence, few.todo) == ("fail", said, "set TP_SIZE to 1")
    few = by_name(cards(4, GOOD_GPU, SECOND))["cards"]
    assert few.sentence == "TP_SIZE=4 needs 4 cards, and this machine has 2."
    assert few.todo == "set TP_SIZE to 2 or less"
    assert [check.name for check in cards(2)] == ["gpu"], "without a card that is all there is to say"


def test_cards_of_several_kinds_are_a_warning_and_the_smallest_counts(cards: Callable[..., list[Check]]) -> None:
    small = "1, NVIDIA GeForce RTX 3050, 580.95.05, 6144, 6000, 8.6"
    found = by_name(cards(2, GOOD_GPU, small))
    assert found["cards"].level == "warn"
    assert (
        "The cards differ (NVIDIA GeForce RTX 4070, NVIDIA GeForce RTX 3050): the slowest decides"
        in found["cards"].sentence
    )
    assert found["gpu-memory"].figures["total_mib"] == 6144
    assert by_name(cards(1, GOOD_GPU, small))["gpu-memory"].figures["total_mib"] == 12282
    third = GOOD_GPU.replace("0,", "2,", 1)
    assert by_name(cards(2, GOOD_GPU, small, third, CUDA_VISIBLE_DEVICES="0,2"))["cards"].level == "ok"


# ---- disk and shared memory


def test_disk_check_measures_the_nearest_folder_that_exists(tmp_path: Path) -> None:
    check = requirements.disk_check(tmp_path / "not" / "yet", 0.001)
    assert check.level == "ok"
    assert check.figures["free_gb"] > 0
    assert requirements.disk_check(tmp_path, 10**9).level == "fail"


def test_disk_check_agrees_with_the_system(tmp_path: Path) -> None:
    system = os.statvfs(tmp_path)
    free = requirements.disk_check(tmp_path, 1).figures["free_gb"]
    assert free == pytest.approx(system.f_bavail * system.f_frsize / 1e9, rel=0.05)


@pytest.mark.parametrize(("free_kib", "level"), [(9_765_624, "fail"), (9_765_625, "ok")])
def test_a_gb_is_ten_to_the_ninth(
    programs: Callable[[str, str], None], tmp_path: Path, free_kib: int, level: str
) -> None:
    programs("df", df(free_kib))
    assert requirements.disk_check(tmp_path, 10).level == level


def test_disk_that_cannot_be_measured_is_a_warning(programs: Callable[[str, str], None], tmp_path: Path) -> None:
    assert requirements.disk_check(tmp_path, 1).level == "warn"
    programs("df", "echo nonsense")
    assert requirements.disk_check(tmp_path, 1).level == "warn"


def test_shared_memory_of_a_plain_container_is_too_small(programs: Callable[[str, str], None], tmp_path: Path) -> None:
    programs("df", df(65536, 65536))
    check = requirements.shared_memory_check(path=tmp_path)
    assert check.level == "fail"
    assert "--shm-size" in check.todo
    assert requirements.shared_memory_check(0.05, tmp_path).level == "ok"


# ---- Python


@pytest.mark.parametrize(("version", "level"), [((3, 9, 18), "fail"), ((3, 10, 0), "ok"), ((4, 0, 0), "ok")])
def test_python_version(version: tuple[int, ...], level: str) -> None:
    assert requirements.python_check(version).level == level


# ---- login


@pytest.mark.parametrize(
    ("status", "level", "todo"),
    [
        (0, "ok", ""),
        (9, "fail", "./setup_nvidia_auth.sh"),
        (5, "fail", "--logout"),
        (6, "fail", "--check"),
        (77, "fail", "--check"),
    ],
)
def test_login_check_is_the_login_script_asked(tmp_path: Path, status: int, level: str, todo: str) -> None:
    script = tmp_path / "auth.sh"
    script.write_text(f'[ "$1" = --check ] || exit 99\necho "ok: out"\necho "went wrong" >&2\nexit {status}\n')
    check = access.login_check("registry.example/image:1", script)
    assert (check.level, check.figures["status"]) == (level, status)
    assert todo in check.todo
    assert check.sentence == ("out" if status == 0 else "went wrong")


def test_login_check_without_the_script_is_a_warning(tmp_path: Path) -> None:
    assert access.login_check("registry.example/image:1", tmp_path / "none.sh").level == "warn"


# ---- the report


CHECKS = [
    Check("docker", "fail", "No Docker.", "install it"),
    Check("python", "ok", "Python.", "never shown"),
    Check("disk", "warn", "Little.", "prune", {"free_gb": 11.5}),
]


def test_only_what_the_purpose_needs_is_fatal() -> None:
    assert [check.level for check in report.weigh(CHECKS, "docker")] == ["fail", "ok", "warn"]
    assert [check.level for check in report.weigh(CHECKS, "local")] == ["warn", "ok", "warn"]
    assert "Not needed for 'local'" in report.weigh(CHECKS, "local")[0].sentence


def test_text_has_a_line_a_check_and_what_to_do_below_it() -> None:
    lines = report.text_report(CHECKS, "docker").splitlines()
    assert [line.split()[0] for line in lines] == ["fail", "->", "ok", "warn", "->", "Not"]
    assert lines[-1] == "Not ready for 'docker': docker."


def test_json_says_ready_only_when_nothing_fails() -> None:
    assert json.loads(report.json_report(CHECKS, "docker"))["ready"] is False
    told = json.loads(report.json_report(report.weigh(CHECKS, "local"), "local"))
    assert told["ready"] is True
    assert told["checks"][2]["figures"] == {"free_gb": 11.5}
    assert [row["needed"] for row in told["checks"]] == [False, True, True]


def test_every_needed_name_is_a_check_that_runs(programs: Callable[[str, str], None], tmp_path: Path) -> None:
    programs("nvidia-smi", nvidia_smi(GOOD_GPU))
    settings = Settings(model_name="demo", data_dir=str(tmp_path), tp_size=2)
    names = {check.name for check in report.examine("registry.example/image:1", settings, "local")}
    for purpose, fatal in report.NEEDED.items():
        assert fatal <= names, purpose


def test_bad_input_is_a_user_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="moon"):
        doctor.main(["--for", "moon"])
    monkeypatch.setenv("OFFLINE", "perhaps")
    with pytest.raises(UserError, match="OFFLINE='perhaps' is not valid"):
        doctor.main([])


def test_settings_come_from_the_environment_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".env").write_text("# a comment\nexport MODEL_NAME='./none'\nDATA_DIR=/ # the root\n", encoding="utf-8")
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    monkeypatch.delenv("DATA_DIR", raising=False)
    monkeypatch.delenv("MODEL_NAME", raising=False)
    assert doctor.main(["--for", "local", "--json"]) == 1
    rows = by_json_name(capsys.readouterr().out)
    assert "MODEL_NAME='none' is not a folder" in rows["model"]["sentence"]
    assert rows["disk"]["figures"]["path"] == "/"
    monkeypatch.setenv("MODEL_NAME", "demo")
    doctor.main(["--for", "local", "--json"])
    assert by_json_name(capsys.readouterr().out)["model"]["level"] == "ok"


def test_the_image_of_the_file_is_asked_for(
    programs: Callable[[str, str], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / ".env").write_text("BASE_IMAGE=registry.example/mine:1\nMODEL_NAME=demo\n", encoding="utf-8")
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    monkeypatch.delenv("BASE_IMAGE", raising=False)
    # The image that was pulled is that of the file, and no other.
    programs(
        "docker", 'case "$1 $2" in "image inspect") case "$*" in *registry.example/mine:1) ;; *) exit 1;; esac;; esac'
    )
    doctor.main(["--json"])
    assert by_json_name(capsys.readouterr().out)["ngc-login"]["sentence"].startswith(
        "registry.example/mine:1 is already here"
    )
    monkeypatch.setenv("BASE_IMAGE", "registry.example/other:2")
    doctor.main(["--json"])
    assert by_json_name(capsys.readouterr().out)["ngc-login"]["level"] == "fail"


def by_json_name(text: str) -> dict[str, Any]:
    return {row["name"]: row for row in json.loads(text)["checks"]}


# ---- what it is made of


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_runs_on_an_old_python_with_nothing_installed(source: Path) -> None:
    tree = ast.parse(source.read_text(encoding="utf-8"), feature_version=(3, 8))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
    ours = {name for name in imported if name.startswith("trtbench")}
    packages = {
        "trtbench",  # its version
        "trtbench.settings",
        "trtbench.engine",
        "trtbench.model",
        "trtbench.machine",
        "trtbench.records",
        "trtbench.doctor",
    }  # `from trtbench.settings import reading`: the room itself is empty
    assert ours <= {module.__name__ for module in MODULES} | packages
    theirs = imported - ours - LATER.get(source.stem, set())
    assert {name.split(".")[0] for name in theirs} <= set(sys.stdlib_module_names)
    # Of later versions, and no syntax.
    called = {
        node.func.attr for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert not called & {"removeprefix", "removesuffix", "cache", "is_relative_to", "pairwise", "with_stem"}


def test_the_image_is_the_contracts_and_composes() -> None:
    assert contract.load()["release"]["image"] == docker.IMAGE
    compose = (access.ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    assert f"BASE_IMAGE: ${{BASE_IMAGE:-{docker.IMAGE}}}" in compose
    assert f"ARG BASE_IMAGE={docker.IMAGE}\n" in (access.ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
    assert "./data:/workspace/data" in compose and str(access.WORKSPACE) == "/workspace"


def test_the_command_runs_without_site_packages(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(SCRIPTS)!r})\n"
         "from trtbench.doctor.__main__ import main; sys.exit(main(['--for', 'local', '--json']))"],
        env={"PATH": str(tmp_path), "MODEL_NAME": "demo"}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    rows = by_json_name(done.stdout)
    assert rows["docker"]["level"] == "warn", done.stderr
    assert rows["python"]["level"] == "ok"


def test_the_script_is_executable_for_its_owner() -> None:
    for name in ("setup_nvidia_auth.sh", "scripts/doctor.sh", "scripts/clean.sh"):
        assert (access.ROOT / name).stat().st_mode & stat.S_IXUSR, name


@pytest.mark.parametrize(
    ("level", "typed"), [("ok", "bash scripts/bench_local.sh --cpu"), ("warn", "bash scripts/bench_local.sh")]
)
def test_beside_a_card_the_processor_is_asked_for(level: str, typed: str) -> None:
    found = [Check(name, "ok", "") for name in report.NEEDED["local"]] + [Check("gpu", level, "")]
    assert typed in [way.type for way in report.ways_here(found, "local") if way.purpose == "local"]
