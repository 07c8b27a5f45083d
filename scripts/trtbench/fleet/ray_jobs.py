"""What is asked of Ray, by its Job API and its state API over HTTP: the head alone has to be reached, and jobs go on when this
process ends. Only here and in own_ray.py Ray is imported.

What comes back is untrusted text: it is made printable and short, and nothing of it is ever run."""

from __future__ import annotations

import importlib.util
import math
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from trtbench.comparison.safe_reading import PACKED
from trtbench.errors import UserError, in_one_line
from trtbench.fleet.cluster import Job, Machine, State, Unreachable
from trtbench.records.files import shown
from trtbench.settings.knobs import ROOT

# What a machine runs for every run; what is to be run stands in the environment alone. Ray gives this text to a shell.
ENTRYPOINT = (
    'cd "${TRTBENCH_CLONE:-$TRTBENCH_FLEET_CLONE}" && '
    "PYTHONPATH=scripts${PYTHONPATH:+:$PYTHONPATH} exec python3 -B -m trtbench.fleet.on_machine"
)
PORT = 8265  # of Ray's dashboard, which has the Job API
SECONDS = 60.0  # for an answer to begin, and between its parts
LONGEST = 600.0  # seconds for the whole of it
MOST_MACHINES = 10_000  # that Ray's state API tells of at once
ANSWER = 3 * PACKED  # bytes: a bundle as base64 and all that was said beside it
# Exit statuses of a run that a signal ended, as a shell and as Python tell them. Nobody sends it one but a machine that is going
# down or out of memory, or its administrator: what Ray itself was asked to stop, it calls stopped.
_SIGNALLED = {status for number in (1, 2, 9, 15) for status in (-number, 128 + number)}
_PHASES = {"PENDING": "waiting", "RUNNING": "running", "SUCCEEDED": "ended", "STOPPED": "stopped"}
_UNPLACED = {"JOB_SUPERVISOR_ACTOR_START_TIMEOUT", "JOB_SUPERVISOR_ACTOR_UNSCHEDULABLE"}


def url_of(address: str) -> str:
    """The address of a cluster's dashboard as a URL. Raises UserError for what can be none."""
    text = address.strip()
    right = f"it takes http://HOST:{PORT}, the dashboard of the cluster's head"
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port
    except ValueError:
        raise UserError(f"--address={shown(text)!r} is not valid: {right}.") from None
    if "@" in text:
        raise UserError(f"--address holds a name or a password, which has no place there: {right}.")
    if (
        not text.isprintable()
        or parts.scheme not in ("http", "https")
        or not re.fullmatch(r"[\w.:-]+", parts.hostname or "", re.ASCII)
        or parts.query
        or parts.fragment
    ):
        raise UserError(f"--address={shown(text)!r} is not valid: {right}.")
    host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
    if port is None:
        port = PORT if parts.scheme == "http" else 443
    return f"{parts.scheme}://{host}:{port}{parts.path.rstrip('/')}"


class RayJobs:
    """A cluster of Ray (`trtbench.fleet.cluster.Cluster`) by the address of its dashboard. Where that wants a token, it is the one
    given, or the one that Ray's own commands would take: of RAY_AUTH_TOKEN, or of a file."""

    def __init__(self, address: str, token: str = "") -> None:
        self.url = url_of(address)
        need_ray()
        clone = str(ROOT)
        if "$" in clone:
            raise UserError(f"Ray would replace the dollar sign in the name of {clone}; move this clone elsewhere.")
        self._clone = clone
        self._jobs, self._nodes = self._asked(lambda: _clients(self.url, token))

    def machines(self) -> Sequence[Machine]:
        from ray.util.state.common import ListApiOptions, StateResource

        # All of them, as Ray takes those that a filter leaves out for a part that is missing; and a part that is missing is an error.
        options = ListApiOptions(limit=MOST_MACHINES, timeout=int(SECONDS), detail=True)
        nodes = self._asked(lambda: self._nodes.list(StateResource.NODES, options, raise_on_missing_output=True))
        return list(self._asked(lambda: [_machine(node) for node in nodes if node.state == "ALIVE"]))

    def submit(self, job: Job) -> None:
        response = self._asked(lambda: self._sent(job))
        if response.status_code == 200 or self.state(job.id).phase != "unknown":
            return
        reason = shown(response.text.strip().rpartition("\n")[2])
        if response.status_code < 500:
            raise UserError(f"Ray refuses the run {job.id}: {reason}.")
        raise Unreachable(f"{self.url} could not take the run {job.id}: {reason}")

    def _sent(self, job: Job) -> Any:
        environment = {
            # Ray replaces ${NAME} in a value by what the machine has of that name. JSON has another form of a dollar sign.
            "TRTBENCH_FLEET_RUN": job.run.replace("$", "\\u0024"),
            "TRTBENCH_FLEET_CARDS": str(job.cards),
            "TRTBENCH_FLEET_CLONE": self._clone,
        }
        asked = {
            "entrypoint": ENTRYPOINT,
            "submission_id": job.id,
            "runtime_env": {"env_vars": environment},
            "entrypoint_num_cpus": job.cpus,
            "entrypoint_num_gpus": job.cards,
            "entrypoint_resources": dict(job.resources),
            "entrypoint_label_selector": dict(job.labels),
        }
        return self._jobs._do_request(
            "POST", "/api/jobs/", json_data={name: value for name, value in asked.items() if value}
        )

    def state(self, job_id: str) -> State:
        response = self._asked(lambda: self._jobs._do_request("GET", _path(job_id)))
        return State("unknown") if response.status_code == 404 else _state(self._decoded(response))

    def log(self, job_id: str) -> str:
        state = self.state(job_id)
        if state.phase in ("lost", "unknown"):
            return ""
        try:
            response = self._asked(lambda: self._jobs._do_request("GET", f"{_path(job_id)}/logs"))
            return "" if response.status_code == 404 else str(self._decoded(response).get("logs", ""))
        except Unreachable as error:
            unreachable = error
        # The head asks the machine itself for it, which may be gone by now.
        if state.machine in {machine.id for machine in self.machines()}:
            raise unreachable
        return ""

    def stop(self, job_id: str) -> None:
        response = self._asked(lambda: self._jobs._do_request("POST", f"{_path(job_id)}/stop"))
        if response.status_code != 404:
            self._decoded(response)

    def _asked(self, question: Callable[[], Any]) -> Any:
        """The answer to a question; Unreachable where there is none."""
        import requests
        import urllib3
        from ray.exceptions import AuthenticationError
        from ray.util.state.exception import RayStateApiException

        try:
            return question()
        except AuthenticationError:
            raise UserError(
                f"{self.url} asks for a token: set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH."
            ) from None
        except (
            OSError,
            requests.RequestException,
            RayStateApiException,
            RuntimeError,
            ValueError,
            LookupError,
        ) as error:
            # Ray's own words for a failed request leave out what failed.
            cause = error.__context__ if isinstance(error.__context__, OSError) else error
            # The libraries in between say the same in a hundred words.
            inner = cause
            while isinstance(inner, (requests.RequestException, urllib3.exceptions.HTTPError)) and inner.__context__:
                inner = inner.__context__
            cause = inner if isinstance(inner, OSError) else cause
            raise Unreachable(f"Ray at {self.url} does not answer: {shown(in_one_line(cause)).rstrip('.')}") from None

    def _decoded(self, response: Any) -> Mapping[str, Any]:
        """The JSON object of an answer."""

        def decode() -> Mapping[str, Any]:
            if response.status_code != 200:
                last = response.text.strip().rpartition("\n")[2]
                raise ValueError(f"status {response.status_code}, {last}")
            value = response.json()
            if not isinstance(value, dict):
                raise ValueError("its answer is no object")
            return value

        answer: Mapping[str, Any] = self._asked(decode)
        return answer


def need_ray() -> None:
    """Raises UserError where this Python has no Ray."""
    if importlib.util.find_spec("ray") is None:
        raise UserError("this Python has no Ray; make the environment that has it: bash scripts/fleet.sh --install")


def _path(job_id: str) -> str:
    return f"/api/jobs/{quote(job_id, safe='')}"


def _machine(node: Any) -> Machine:
    numbers = {
        shown(name): float(value)
        for name, value in dict(node.resources_total or {}).items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    }
    labels = {shown(name): shown(value) for name, value in dict(node.labels or {}).items()}
    return Machine(shown(node.node_id), int(numbers.get("GPU", 0)), int(numbers.get("CPU", 0)), numbers, labels)


def _state(job: Mapping[str, Any]) -> State:
    """How a job is, of what Ray tells of it. A job that Ray calls failed is `failed` only where the run itself ended so; all else
    is trouble of its machine, or of the way to it, and a run that is placed again may well end."""
    machine = shown(job.get("driver_node_id") or "")
    status, kind = str(job.get("status")), str(job.get("error_type"))
    reason = shown(" ".join(str(job.get("message") or "").split()))
    if status in _PHASES:
        return State(_PHASES[status], machine, reason if status == "STOPPED" else "")
    if kind in _UNPLACED:
        return State("unplaced", machine, reason)
    code = job.get("driver_exit_code")
    code = code if isinstance(code, int) else None
    if kind == "JOB_ENTRYPOINT_COMMAND_ERROR" and code not in _SIGNALLED:
        return State("failed", machine, f"it ended with exit status {shown(code)}")
    # Lost: the job's own process died with its machine (JOB_SUPERVISOR_ACTOR_DIED), was not to be reached
    # (…_UNKNOWN_FAILURE, upon which Ray ends it), was not there any more or could not start (…_START_FAILURE,
    # JOB_ENTRYPOINT_COMMAND_START_ERROR), or its environment, which is a few variables, could not be set there
    # (RUNTIME_ENV_SETUP_FAILURE).
    return State("lost", machine, f"a signal ended it ({shown(code)})" if code in _SIGNALLED else reason)


def _clients(url: str, token: str) -> tuple[Any, Any]:
    """Ray's clients of the Job API and of the state API, whose questions end in time and whose answers fit into memory."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # Ray would take these for the address that was given.
    for name in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS"):
        os.environ.pop(name, None)
    import requests
    from ray._private.authentication.authentication_token_setup import maybe_enable_token_auth_if_token_available
    from ray._private.authentication.http_token_authentication import format_authentication_http_error
    from ray.dashboard.modules.dashboard_sdk import SubmissionClient
    from ray.exceptions import AuthenticationError
    from ray.job_submission import JobSubmissionClient
    from ray.util.state.api import StateApiClient

    class Bounded(SubmissionClient):  # type: ignore[misc]
        def _do_request(
            self, method: str, endpoint: str, *, data: Any = None, json_data: Any = None, **rest: Any
        ) -> Any:
            if "session" not in vars(self):
                self.session = requests.Session()
                # A proxy has no way to this machine itself.
                self.session.trust_env = urlsplit(self._address).hostname not in ("127.0.0.1", "localhost", "::1")
            response = self.session.request(
                method,
                self._address + endpoint,
                data=data,
                json=json_data,
                headers=self._headers,
                cookies=self._cookies,
                verify=self._verify,
                allow_redirects=False,
                stream=True,
                **{"timeout": SECONDS, **rest},
            )
            with response:
                content, until = bytearray(), time.monotonic() + LONGEST
                for part in response.iter_content(2**16):
                    content += part
                    if len(content) > ANSWER:
                        raise ValueError(f"its answer has more than {ANSWER // 2**20} MiB")
                    if time.monotonic() > until:
                        raise ValueError(f"its answer takes more than {LONGEST:.0f} s")
            response._content = bytes(content)
            refusal = format_authentication_http_error(response.status_code, "")
            if refusal:
                raise AuthenticationError(refusal)
            return response

    class Jobs(Bounded, JobSubmissionClient):  # type: ignore[misc]
        pass

    class Nodes(Bounded, StateApiClient):  # type: ignore[misc]
        pass

    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        return Jobs(url, headers=dict(headers)), Nodes(url, headers=dict(headers))
    except AuthenticationError:
        # Only now: a token is shown to nobody who does not ask for it.
        if token or not maybe_enable_token_auth_if_token_available(warn_if_disabled=False):
            raise
        return Jobs(url), Nodes(url)
