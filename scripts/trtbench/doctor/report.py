"""All checks at once, weighed by what has to work, as lines for a person or as JSON.

Standard library only and Python 3.8 syntax, because the doctor runs with the host's own Python before anything is installed.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import io
import json
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from trtbench.doctor import needed
from trtbench.doctor.access import as_in_container, login_check, model_access_check, offline_in_container
from trtbench.doctor.card import card_checks, environments_check
from trtbench.doctor.card import python_check as python_for_card
from trtbench.doctor.docker import compose_check, daemon_check, docker_check, docker_disk_check, toolkit_check
from trtbench.doctor.estimate import Estimate, estimate, figures, in_docker, lanes_of, sentence
from trtbench.doctor.ways import WAYS, Way
from trtbench.errors import UserError
from trtbench.machine.checks import Check
from trtbench.machine.cuda_driver import cuda_version
from trtbench.machine.requirements import disk_check, gpu_checks, python_check, shared_memory_check, writable_check
from trtbench.model.offline import offline_by
from trtbench.settings.environments import own_python, ready
from trtbench.settings.knobs import ROOT, Settings

BUILD_GB = 10.0  # a build's checkpoint and engine were never measured
RESULTS_GB = 1.0  # for results, and what grows in the cache
GB = 1e9

_CARD = ("gpu", "compute-capability", "driver", "gpu-memory")
NEEDED = {
    "docker": {
        *("docker", "docker-daemon", "compose", "container-toolkit", "docker-disk", "ngc-login"),
        *(*_CARD, "cards", "disk", "model"),
    },
    "local": {"python", "disk", "model"},
    "gpu": {"python", *_CARD, "cards", "disk", "model"},
    "engine": {*_CARD, "disk", "shared-memory", "model"},  # one for more cards than there are can be built
}
ON_DISK = ("disk", "model")  # what is of the settings, and not of the machine


def examine(image: str, settings: Settings, purpose: str) -> list[Check]:
    """Run every check, at the same time because several wait for a network, and give the results in a fixed order.

    Containers have their own data folder, their own idea of the model's place and their own CUDA: see `as_in_container`.
    """
    data = ROOT / "data" if purpose == "docker" else settings.data
    taken = estimated(image, settings, purpose)

    def model_check() -> Check:
        if purpose != "docker":
            return model_access_check(settings, offline_by(settings))
        try:
            return model_access_check(as_in_container(settings), offline_in_container(settings))
        except UserError as error:
            return Check("model", "fail", str(error))

    def room_check() -> Check:
        room = room_for(taken, data, BUILD_GB if purpose in ("docker", "engine") else RESULTS_GB)
        # The entrypoint of a container becomes the owner of ./data, whoever that is.
        return room if purpose == "docker" else writable_check(room, (settings.data, settings.results))

    checks: list[Callable[[], Check | list[Check]]] = [
        docker_check,
        daemon_check,
        compose_check,
        toolkit_check,
        lambda: (
            card_checks(settings.tp_size)
            if purpose == "gpu"
            else gpu_checks(ask_driver=purpose == "engine", tp_size=settings.tp_size)
        ),
        lambda: docker_disk_check(image),
        room_check,
        shared_memory_check,
        lambda: login_check(image),
        model_check,
        python_for_card if purpose == "gpu" else python_check,
        environments_check,
        lambda: estimate_check(taken),
    ]
    with concurrent.futures.ThreadPoolExecutor(len(checks)) as pool:
        results = list(pool.map(lambda check: check(), checks))
    return [check for result in results for check in (result if isinstance(result, list) else [result])]


def estimated(image: str, settings: Settings, purpose: str, profile: str = "auto") -> Estimate | None:
    """What a start for this purpose takes here; None where it is not told, as inside an image, or can't be: the model's check says
    why."""
    try:
        if purpose == "docker":
            return in_docker(as_in_container(settings), profile, image)
        if purpose in ("local", "gpu"):
            device = "cpu" if purpose == "local" else "cuda"
            to_make = [name for name in environments_of(settings, device) if ready(name) is None]
            capability = needed.capability_of(needed.card_for(device, settings.tp_size))
            return estimate(settings, device, to_make, lanes_of(settings, device, to_make, capability))
    except UserError:
        pass
    return None


def environments_of(settings: Settings, device: str) -> list[str]:
    """The environments that a start needs, as scripts/lib.sh makes them. Raises UserError where there is no card for it, or none
    that can be used."""
    card = needed.card_for(device, settings.tp_size)
    cuda = cuda_version(card.driver) if card is not None else None
    with contextlib.redirect_stderr(io.StringIO()):  # the checks say it
        makes = [] if own_python() else [needed.main_environment(card, cuda)]
        makes += needed.lane_environments(settings, None, False, card, cuda)
    return [make.folder for make in makes]


def room_for(taken: Estimate | None, data: Path, least_gb: float) -> Check:
    """Is there room for what is estimated, `least_gb` at least: in the folder of data and, on another disk, in the clone?"""
    parts = [part for part in taken.parts if part.name != "image"] if taken else []
    home = sum(part.disk or 0 for part in parts if part.at_home) / GB
    rest = sum(part.disk or 0 for part in parts if not part.at_home) / GB
    one_disk = _disk(ROOT) == _disk(data)
    check = disk_check(data, _rounded(max(least_gb, rest + (home if one_disk else 0))))
    if home and not one_disk:
        other = disk_check(ROOT, _rounded(home))
        worst = max((check, other), key=lambda one: ("ok", "warn", "fail").index(one.level))
        check = dataclasses.replace(worst, sentence=f"{check.sentence} {other.sentence}")
    unknown = [part.name for part in parts if part.disk is None]
    if unknown:
        check = dataclasses.replace(check, sentence=f"{check.sentence} Not counted: {', '.join(unknown)}.")
    return check


def _rounded(gb: float) -> float:
    return math.ceil(gb * 10) / 10


def _disk(folder: Path) -> int:
    """The file system of a folder, or of the nearest one that is there."""
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    return os.stat(place).st_dev


def estimate_check(taken: Estimate | None) -> Check:
    if taken is None:
        return Check("estimate", "ok", "What a start takes isn't told here.")
    return Check("estimate", "ok", f"A start takes {sentence(taken)}.", "", figures(taken))


def ways_here(checks: Sequence[Check], purpose: str) -> list[Way]:
    """The ways that this machine is ready for: of the purpose that was asked for all that it needs, of others what is of the
    machine (whose model and disk depend on what is set then). Where there is a card, the processor's is asked for with --cpu."""
    ways = [way for way in WAYS if _ready(way.purpose, checks, purpose)]
    card = any(check.name == "gpu" and check.level == "ok" for check in checks)
    return [
        dataclasses.replace(way, type=f"{way.type} --cpu") if card and way.purpose == "local" else way for way in ways
    ]


def _ready(way: str, checks: Sequence[Check], purpose: str) -> bool:
    levels = {check.name: check.level for check in checks}
    names = NEEDED[way]
    if way != purpose:
        names = names - set(ON_DISK)
        if way == "gpu":
            levels.update((check.name, check.level) for check in card_checks())
        elif way == "docker" and purpose == "gpu":
            levels.update((check.name, check.level) for check in gpu_checks(ask_driver=False))
    return all(levels.get(name) != "fail" for name in names)


def weigh(checks: list[Check], purpose: str) -> list[Check]:
    """Turn failures that do not matter for `purpose` into warnings that say so."""
    return [
        dataclasses.replace(check, level="warn", sentence=f"{check.sentence} Not needed for '{purpose}'.")
        if check.level == "fail" and check.name not in NEEDED[purpose]
        else check
        for check in checks
    ]


def text_report(checks: list[Check], purpose: str, ways: Sequence[Way] = ()) -> str:
    """The checks as lines for a person; what to do stands below its line, and what can be typed here at the end."""
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
    if ways:
        width = max(len(way.type) for way in ways)
        lines += ["What you can type here:", *(f"  {way.type:<{width}}  {way.get}" for way in ways)]
    return "\n".join(lines) + "\n"


def json_report(checks: list[Check], purpose: str, ways: Sequence[Way] = ()) -> str:
    """The checks as JSON: purpose, ready, every check with its figures and whether this purpose needs it, and what to type."""
    rows = [{**dataclasses.asdict(check), "needed": check.name in NEEDED[purpose]} for check in checks]
    is_ready = all(check.level != "fail" for check in checks)
    typed = [{"purpose": way.purpose, "type": way.type, "get": way.get} for way in ways]
    return json.dumps({"purpose": purpose, "ready": is_ready, "checks": rows, "ways": typed}, indent=2) + "\n"
