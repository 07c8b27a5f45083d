"""All checks at once, weighed by what has to work, as lines for a person or as JSON.

Standard library only and Python 3.8 syntax, because the doctor runs with the host's own Python before anything is installed.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
from collections.abc import Callable

from trtbench.doctor.access import as_in_container, login_check, model_access_check, offline_in_container
from trtbench.doctor.docker import compose_check, daemon_check, docker_check, docker_disk_check, toolkit_check
from trtbench.errors import UserError
from trtbench.machine.checks import Check
from trtbench.machine.requirements import disk_check, gpu_checks, python_check, shared_memory_check, writable_check
from trtbench.model.offline import offline_by
from trtbench.settings.knobs import ROOT, Settings

DATA_GB = 10.0

NEEDED = {
    "docker": {
        *("docker", "docker-daemon", "compose", "container-toolkit", "docker-disk", "ngc-login"),
        *("gpu", "compute-capability", "driver", "gpu-memory", "disk", "model"),
    },
    "local": {"python", "disk", "model"},
    "engine": {"gpu", "compute-capability", "driver", "gpu-memory", "disk", "shared-memory", "model"},
}


def examine(image: str, settings: Settings, purpose: str) -> list[Check]:
    """Run every check, at the same time because several wait for a network, and give the results in a fixed order.

    Containers have their own data folder, their own idea of the model's place and their own CUDA: see `as_in_container`.
    """
    data = ROOT / "data" if purpose == "docker" else settings.data

    def model_check() -> Check:
        if purpose != "docker":
            return model_access_check(settings, offline_by(settings))
        try:
            return model_access_check(as_in_container(settings), offline_in_container(settings))
        except UserError as error:
            return Check("model", "fail", str(error))

    def room_check() -> Check:
        room = disk_check(data, DATA_GB)
        # The entrypoint of a container becomes the owner of ./data, whoever that is.
        return room if purpose == "docker" else writable_check(room, (settings.data, settings.results))

    checks: list[Callable[[], Check | list[Check]]] = [
        docker_check,
        daemon_check,
        compose_check,
        toolkit_check,
        lambda: gpu_checks(ask_driver=purpose == "engine"),
        lambda: docker_disk_check(image),
        room_check,
        shared_memory_check,
        lambda: login_check(image),
        model_check,
        python_check,
    ]
    with concurrent.futures.ThreadPoolExecutor(len(checks)) as pool:
        results = list(pool.map(lambda check: check(), checks))
    return [check for result in results for check in (result if isinstance(result, list) else [result])]


def weigh(checks: list[Check], purpose: str) -> list[Check]:
    """Turn failures that do not matter for `purpose` into warnings that say so."""
    return [
        dataclasses.replace(check, level="warn", sentence=f"{check.sentence} Not needed for '{purpose}'.")
        if check.level == "fail" and check.name not in NEEDED[purpose]
        else check
        for check in checks
    ]


def text_report(checks: list[Check], purpose: str) -> str:
    """The checks as lines for a person; what to do stands below its line."""
    lines = []
    for check in checks:
        lines.append(f"{check.level:<4}  {check.name:<18}  {check.sentence}")
        if check.todo and check.level != "ok":
            lines.append(f"{'':<26}-> {check.todo}")
    failed = [check.name for check in checks if check.level == "fail"]
    if failed:
        lines.append(f"Not ready for '{purpose}': {', '.join(failed)}.")
    else:
        lines.append(f"Ready for '{purpose}'.")
    return "\n".join(lines) + "\n"


def json_report(checks: list[Check], purpose: str) -> str:
    """The checks as JSON: purpose, ready, and every check with its figures and whether this purpose needs it."""
    rows = [{**dataclasses.asdict(check), "needed": check.name in NEEDED[purpose]} for check in checks]
    ready = all(check.level != "fail" for check in checks)
    return json.dumps({"purpose": purpose, "ready": ready, "checks": rows}, indent=2) + "\n"
