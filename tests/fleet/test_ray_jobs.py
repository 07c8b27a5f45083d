"""What is asked of Ray, against a stand-in for its dashboard that answers as a hostile one may; a real one is in e2e/test_fleet.py."""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from lacking import lacking
from ray_cluster import PYTHON, Asked
from trtbench.errors import UserError
from trtbench.fleet.ray_jobs import ANSWER, MOST_MACHINES, RayJobs, _state, url_of

DIED = {
    "status": "FAILED",
    "error_type": "JOB_SUPERVISOR_ACTOR_DIED",
    "message": "it\n\tdied\x1b[31m",
    "driver_node_id": "n1",
}


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("head", "http://head:8265"),
        ("10.0.0.1:9000", "http://10.0.0.1:9000"),
        (" http://127.0.0.1:8265/ ", "http://127.0.0.1:8265"),
        ("https://ray.example.org/cluster", "https://ray.example.org:443/cluster"),
        ("http://[::1]:8265", "http://[::1]:8265"),
    ],
)
def test_an_address_is_that_of_a_dashboard(address: str, url: str) -> None:
    assert url_of(address) == url


@pytest.mark.parametrize(
    "address",
    [
        *("", "ray://head:10001", "auto://x", "file:///etc/passwd", "http://", "head:port", "head:99999999", "a b"),
        *("http://head:8265?x=1", "http://$(touch x):8265", "http://head\n:8265", "os://system"),
    ],
)
def test_what_is_no_address_of_a_dashboard_gets_a_sentence(address: str) -> None:
    with pytest.raises(UserError, match="it takes http://HOST:8265") as refusal:
        url_of(address)
    assert str(refusal.value).isprintable()


def test_a_password_in_an_address_is_refused_and_not_told() -> None:
    with pytest.raises(UserError, match="name or a password") as refusal:
        url_of("http://me:hunter2@head:8265")
    assert "hunter2" not in str(refusal.value)


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="this Python has Ray")
def test_a_python_without_ray_gets_a_sentence() -> None:
    with pytest.raises(UserError, match=r"bash scripts/fleet\.sh --install"):
        RayJobs("127.0.0.1")


@pytest.mark.parametrize(
    ("job", "phase", "reason"),
    [
        ({"status": "PENDING"}, "waiting", ""),
        ({"status": "RUNNING", "message": "Job is currently running."}, "running", ""),
        ({"status": "SUCCEEDED", "driver_exit_code": 0}, "ended", ""),
        (
            {"status": "STOPPED", "message": "Job was intentionally stopped."},
            "stopped",
            "Job was intentionally stopped.",
        ),
        (DIED, "lost", "it died?[31m"),
        *(
            ({"status": "FAILED", "error_type": kind, "message": "why"}, phase, "why")
            for kind, phase in {
                "JOB_SUPERVISOR_ACTOR_UNKNOWN_FAILURE": "lost",
                "JOB_SUPERVISOR_ACTOR_START_FAILURE": "lost",
                "JOB_ENTRYPOINT_COMMAND_START_ERROR": "lost",
                "RUNTIME_ENV_SETUP_FAILURE": "lost",
                "JOB_SUPERVISOR_ACTOR_START_TIMEOUT": "unplaced",
                "JOB_SUPERVISOR_ACTOR_UNSCHEDULABLE": "unplaced",
            }.items()
        ),
        *(
            (
                {"status": "FAILED", "error_type": "JOB_ENTRYPOINT_COMMAND_ERROR", "driver_exit_code": code},
                phase,
                reason,
            )
            for code, phase, reason in (
                (2, "failed", "it ended with exit status 2"),
                (1, "failed", "it ended with exit status 1"),
                (-15, "lost", "a signal ended it (-15)"),
                (143, "lost", "a signal ended it (143)"),
                (137, "lost", "a signal ended it (137)"),
                (130, "lost", "a signal ended it (130)"),
            )
        ),
        ({}, "lost", ""),
    ],
)
def test_every_end_of_a_job_is_one_of_the_phases(job: dict[str, Any], phase: str, reason: str) -> None:
    state = _state(job)
    assert (state.phase, state.reason) == (phase, reason)


class Dashboard(ThreadingHTTPServer):
    """Answers by path; `asked` has what it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, tuple[int, Any]] = {"/api/version": (200, {"ray_version": "2.60.0", "version": "4"})}
        self.asked: list[tuple[str, Any]] = []


class Handler(BaseHTTPRequestHandler):
    server: Dashboard

    def answer(self) -> None:
        path = self.path.partition("?")[0]
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((f"{self.command} {self.path}", json.loads(body) if body else None))
        status, content = self.server.answers.get(path, (404, "no such job"))
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if status == 302:
            self.send_header("Location", "/api/version")
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = answer

    def log_message(self, *words: Any) -> None:
        pass


@pytest.fixture(scope="module")
def dashboard() -> Iterator[Dashboard]:
    server = Dashboard()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def ray(dashboard: Dashboard) -> Iterator[Asked]:
    if not PYTHON.is_file():
        lacking(f"{PYTHON.parents[1].name} is not there; bash scripts/fleet.sh --install makes it")
    asked = Asked(0, RAY_AUTH_MODE="disabled", RAY_ADDRESS="http://127.0.0.1:1", HTTP_PROXY="http://127.0.0.1:1")
    assert asked("connect", f"http://127.0.0.1:{dashboard.server_port}").startswith("http://127.0.0.1:")
    yield asked
    asked.end()


def nodes(count: int, **other: Any) -> dict[str, Any]:
    """What Ray tells of so many machines, every tenth of them dead."""
    result = [
        {
            **{"node_id": f"n{index}", "node_ip": "10.0.0.1", "is_head_node": index == 0, "node_name": "$(touch x)\n"},
            **{
                "state": "DEAD" if index % 10 == 9 else "ALIVE",
                "state_message": None,
                "start_time_ms": 1,
                "end_time_ms": 0,
            },
            "resources_total": {"CPU": 8.0, "GPU": 2.0, "memory": "1 GiB", "accelerator_type:H200": 1.0, "a\x1b": 1.0},
            "labels": {"rack\n": "`touch x`"},
        }
        for index in range(count)
    ]
    told = {"result": result, "total": count, "num_after_truncation": count, "num_filtered": count, **other}
    return {"result": True, "msg": "", "data": {"result": {"partial_failure_warning": "", "warnings": [], **told}}}


def test_hundreds_of_machines_come_back_whole_and_printable(dashboard: Dashboard, ray: Asked) -> None:
    dashboard.answers["/api/v0/nodes"] = 200, nodes(500)
    machines = ray("machines")
    assert len(machines) == 450
    assert machines[0][:3] == ["n0", 2, 8] and machines[0][4] == {"rack?": "`touch x`"}
    assert machines[0][3] == {"CPU": 8.0, "GPU": 2.0, "accelerator_type:H200": 1.0, "a?": 1.0}
    assert f"limit={MOST_MACHINES}" in dashboard.asked[-1][0]


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (200, nodes(3, partial_failure_warning="some did not answer")),
        (200, nodes(3, total=12_000)),
        (200, {"result": False, "msg": "broken\n\x1b[31m", "data": {}}),
        (200, b"<html>"),
        (200, {}),
        (500, b"Traceback"),
        (302, b""),
    ],
)
def test_a_part_of_the_machines_is_no_answer(dashboard: Dashboard, ray: Asked, status: int, content: Any) -> None:
    dashboard.answers["/api/v0/nodes"] = status, content
    refusal = ray("machines")
    assert refusal["error"] == "Unreachable" and refusal["says"].isprintable() and len(refusal["says"]) < 500


def test_what_a_job_is_given_is_data(dashboard: Dashboard, ray: Asked) -> None:
    """Ray would replace ${NAME} by what the machine has of that name, a secret for instance."""
    dashboard.answers["/api/jobs/"] = 200, {"job_id": "j", "submission_id": "j"}
    run = json.dumps({"model": "${HF_TOKEN} $(touch x) \\$HOME"})
    assert ray("submit", "j", run, 2, 0, {"accelerator_type:H200": 0.001}, {"rack": "!in(a)"}) is None
    sent = dashboard.asked[-1][1]
    environment = sent["runtime_env"]["env_vars"]
    assert "$" not in "".join(environment.values()) and "touch" not in sent["entrypoint"]
    assert json.loads(environment["TRTBENCH_FLEET_RUN"]) == json.loads(run)
    assert environment["TRTBENCH_FLEET_CARDS"] == "2"
    wanted = {"entrypoint_num_gpus": 2, "entrypoint_resources": {"accelerator_type:H200": 0.001}}
    assert sent.items() >= {**wanted, "entrypoint_label_selector": {"rack": "!in(a)"}}.items()
    assert "entrypoint_num_cpus" not in sent


def test_a_job_that_is_there_already_is_left_alone_and_others_are_told(dashboard: Dashboard, ray: Asked) -> None:
    job = ["there", "{}", 0, 1, {}, {}]
    dashboard.answers["/api/jobs/"] = 500, b"Traceback\nValueError: Job with submission_id there already exists."
    assert ray("submit", *job)["error"] == "Unreachable"
    dashboard.answers["/api/jobs/there"] = 200, {"status": "RUNNING"}
    assert ray("submit", *job) is None
    dashboard.answers["/api/jobs/"] = 400, b"Traceback\nValueError: a label is not valid\x1b[31m"
    refusal = ray("submit", "other", *job[1:])
    assert refusal == {
        "error": "UserError",
        "says": "Ray refuses the run other: ValueError: a label is not valid?[31m.",
    }


def test_a_log_is_empty_where_its_machine_is_gone_and_asked_for_again_where_it_is_not(
    dashboard: Dashboard, ray: Asked
) -> None:
    dashboard.answers |= {
        "/api/jobs/ended": (200, {"status": "SUCCEEDED", "driver_node_id": "n1"}),
        "/api/jobs/ended/logs": (500, b"Cannot connect"),
        "/api/v0/nodes": (200, nodes(3)),
    }
    assert ray("log", "ended")["error"] == "Unreachable"
    dashboard.answers["/api/v0/nodes"] = 200, nodes(1)
    assert ray("log", "ended") == ""
    dashboard.answers["/api/jobs/ended/logs"] = 200, {"logs": "all of it"}
    assert ray("log", "ended") == "all of it"
    dashboard.answers["/api/jobs/lost"] = 200, DIED
    asked = len(dashboard.asked)
    assert ray("log", "lost") == ray("log", "never") == "" and len(dashboard.asked) == asked + 2


def test_an_answer_that_would_fill_the_memory_is_not_read(dashboard: Dashboard, ray: Asked) -> None:
    dashboard.answers |= {
        "/api/jobs/large": (200, {"status": "SUCCEEDED", "driver_node_id": "n1"}),
        "/api/jobs/large/logs": (200, b'{"logs": "' + b"x" * ANSWER + b'"}'),
        "/api/v0/nodes": (200, nodes(3)),
    }
    refusal = ray("log", "large")
    assert refusal["error"] == "Unreachable" and "more than 96 MiB" in refusal["says"]


def test_names_of_jobs_lead_nowhere_else(dashboard: Dashboard, ray: Asked) -> None:
    assert ray("state", "../../api/version")[0] == "unknown"
    assert dashboard.asked[-1][0] == "GET /api/jobs/..%2F..%2Fapi%2Fversion"


def test_a_dashboard_that_is_not_there_or_wants_a_token_is_told(dashboard: Dashboard, ray: Asked) -> None:
    there = f"http://127.0.0.1:{dashboard.server_port}"
    refusal = ray("connect", "127.0.0.1:9")
    assert refusal["error"] == "Unreachable" and "http://127.0.0.1:9 does not answer" in refusal["says"]
    version = dashboard.answers["/api/version"]
    dashboard.answers["/api/version"] = 401, b"Unauthorized"
    refusal = ray("connect", there)
    assert refusal["error"] == "UserError" and "RAY_AUTH_MODE=token" in refusal["says"]
    dashboard.answers["/api/version"] = version
    assert ray("connect", there, "a token") == there
