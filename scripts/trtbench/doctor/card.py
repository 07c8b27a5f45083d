"""A card without Docker: can the environments of the clone use it, and what of them is there?

Standard library only and Python 3.8 syntax, because the doctor runs with the host's own Python before anything is installed.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from trtbench.doctor.needed import OLDER_CARDS, OLDER_CUDA, OLDEST_CARD
from trtbench.machine import requirements
from trtbench.machine.checks import Check
from trtbench.machine.cuda_driver import MIN_CUDA, MIN_DRIVER, UPDATE, cuda_version, driver_check
from trtbench.machine.requirements import Gpu, gpu_in_use, query_gpus
from trtbench.settings.environments import ENVIRONMENTS, STAMP, UNFINISHED, ready
from trtbench.settings.knobs import ROOT

OLDER_DRIVER = 525  # of OLDER_CUDA, which the older build of torch is for; nobody has tried it here
OWN = "or name a Python with a torch of your own in TRTBENCH_PYTHON"


def card_checks(tp_size: int = 1) -> list[Check]:
    """The card, its compute capability, driver and memory for torch outside of Docker, and where there are to be several (`tp_size`)
    whether they are; one failed check without a card."""
    gpus, _ = query_gpus()
    chosen = gpu_in_use(gpus)
    checks = {check.name: check for check in requirements.gpu_checks(ask_driver=False, tp_size=tp_size)}
    if chosen is None:
        return list(checks.values())
    of_several = f", number {chosen.index} of {len(gpus)} (GPU_INDEX chooses)" if len(gpus) > 1 else ""
    checks["gpu"] = dataclasses.replace(checks["gpu"], level="ok", sentence=f"{chosen.name}{of_several}.", todo="")
    cuda = driver_check(chosen.name, chosen.driver, ask=True)
    checks["driver"] = _driver_check(chosen, cuda)
    checks["compute-capability"] = _capability_check(chosen, checks["driver"])
    return list(checks.values())


def _driver_check(card: Gpu, asked: Check) -> Check:
    """Is the driver new enough for a torch that can be installed? `asked`: what the driver says for the image's CUDA 13."""
    cuda = cuda_version(card.driver) or 0
    figures = {**asked.figures, "cuda_version": cuda}
    if asked.level == "ok" or cuda >= MIN_CUDA:
        return dataclasses.replace(asked, figures=figures)
    answer = asked.figures.get("cuda") or {}
    if answer.get("status") or "silent" in answer:
        return dataclasses.replace(asked, figures=figures)  # CUDA does not start at all
    if cuda >= OLDER_CUDA:
        sentence = (
            f"NVIDIA driver {card.driver} runs no CUDA 13 ({MIN_DRIVER} or newer does): torch comes for CUDA 12.6 from PyTorch's own "
            "index, which nobody has tried here, and lanes whose packages need CUDA 13 are left out."
        )
        return Check("driver", "warn", sentence, f"update it: {UPDATE}", figures)
    sentence = (
        f"NVIDIA driver {card.driver} is too old for every torch that is installed here: {OLDER_DRIVER} is the oldest, "
        f"{MIN_DRIVER} what was tried."
    )
    return Check("driver", "fail", sentence, f"{UPDATE}; {OWN}", figures)


def _capability_check(card: Gpu, driver: Check) -> Check:
    name = "compute-capability"
    if card.capability is None:
        return Check(
            name, "warn", f"The driver does not tell the compute capability of {card.name}.", "update the driver"
        )
    capability = f"{card.capability[0]}.{card.capability[1]}"
    new_enough = driver.figures.get("cuda_version", 0) >= MIN_CUDA
    oldest = OLDEST_CARD if new_enough else OLDER_CARDS[0]
    figures = {"capability": capability, "needed": f"{oldest[0]}.{oldest[1]}"}
    if card.capability < OLDER_CARDS[0]:
        sentence = (
            f"{card.name} has compute capability {capability}; no torch that is installed here has kernels for it."
        )
        return Check(name, "fail", sentence, f"the CPU lanes run: bash scripts/bench_local.sh --cpu; {OWN}", figures)
    if not new_enough and card.capability > OLDER_CARDS[1]:
        sentence = f"Compute capability {capability} is too new for every torch that runs with this driver."
        return Check(name, "fail", sentence, UPDATE, figures)
    if card.capability < OLDEST_CARD:
        sentence = (
            f"Compute capability {capability} is too old for CUDA 13: torch comes for CUDA 12.6 from PyTorch's own index, which nobody has "
            "tried here."
        )
        return Check(name, "warn", sentence, "", figures)
    return Check(name, "ok", f"Compute capability {capability} ({figures['needed']} or newer is needed).", "", figures)


def python_check(version: tuple[int, ...] | None = None) -> Check:
    """Python for the environments of a card: as for the local mode, and which lane a newer one would bring."""
    check = requirements.python_check(version)
    running = tuple(version or sys.version_info[:3])
    oldest = ENVIRONMENTS[".venv-onnxruntime"].python
    if check.level == "ok" and running < oldest:
        newer = ".".join(map(str, oldest))
        sentence = f"{check.sentence[:-1]}; on a card the lane onnxruntime needs {newer}, and is left out."
        return dataclasses.replace(check, level="warn", sentence=sentence)
    return check


def environments_check(root: Path = ROOT) -> Check:
    """Which environments of the clone are there, with which torch."""
    told, half = [], []
    for name in ENVIRONMENTS:
        state, torch = state_of(name, root)
        told.append(f"{name} {state}" + (f" (torch {torch})" if torch else ""))
        half += [name] if state == "half made" else []
    figures = {name: dict(zip(("state", "torch"), state_of(name, root))) for name in ENVIRONMENTS}
    sentence = f"Environments of this clone: {', '.join(told)}."
    if half:
        return Check("environments", "warn", sentence, "the next start that needs it goes on with it", figures)
    return Check("environments", "ok", sentence, "", figures)


def state_of(name: str, root: Path = ROOT) -> tuple[str, str | None]:
    """There, half made, broken or not made; and the version of its torch."""
    folder = root / name
    if not folder.is_dir():
        return "not made", None
    interpreter = ready(name)
    if interpreter is not None:
        return "there", interpreter.release("torch")
    try:
        unfinished = (folder / STAMP).read_text(encoding="utf-8").strip() == UNFINISHED
    except OSError:
        unfinished = False
    return ("half made" if unfinished else "does not run"), None
