"""Which virtual environments a call of the benchmark needs on this machine, for scripts/lib.sh, which makes them.

python -m trtbench.doctor.needed OPTIONS   the benchmark's own options; the settings are read, and wrong ones refused, before
anything is installed. On standard output a line for each thing to do, its words behind tabs:

    make FOLDER TORCH needed|optional LOCK...   an environment; TORCH is cpu, a build of PyTorch's index (cu126), or - where a lock
                                                has it
    run FOLDER [cpu]                            the environment that the benchmark itself runs in; - is this Python. cpu: DEVICE is
                                                auto, and no card was found

Standard library only and Python 3.8 syntax.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import shutil
import sys
from argparse import Namespace
from collections.abc import Sequence

from trtbench.doctor.estimate import estimate, lanes_of, of_environments, sentence
from trtbench.errors import UserError, run_main
from trtbench.machine import cuda_driver
from trtbench.machine.requirements import Gpu, gpu_in_use, gpus_in_use, query_gpus, too_few
from trtbench.model.whereabouts import local_folder, source_of
from trtbench.settings import lanes
from trtbench.settings.choosing import check_headline, check_names, entrants_of, none_of, one_card_only
from trtbench.settings.environments import ENVIRONMENTS, MAIN, STAMP, here, may_be_made, own_python, ready
from trtbench.settings.knobs import ROOT, Settings, show
from trtbench.settings.lanes import LANES
from trtbench.settings.options import parser, settings_for

# Builds of PyTorch's own index for drivers and cards that PyPI's wheel is too new for; PyTorch's RELEASE.md (2.13) names these.
OLDER_BUILD, OLDER_CUDA, OLDER_CARDS = "cu126", 12000, ((5, 0), (9, 0))
OLDEST_CARD = (7, 5)  # that PyPI's wheel has kernels for
# What a Python that the user named must have; docker/missing.py adds the rest.
TAKEN = ("numpy", "torch", "transformers")
ON_CPU = "bash scripts/bench_local.sh --cpu measures the processor's lanes"


@dataclasses.dataclass(frozen=True)
class Make:
    """An environment to be made or brought up to date. `torch`: as on the command's output; `optional`: without it the run goes on."""

    folder: str
    torch: str
    locks: tuple[str, ...]
    optional: bool = False


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser("bench").parse_args(arguments)
    settings, _ = settings_for(options, lambda requested: "cpu" if card_for(requested) is None else "cuda")
    card = card_for(settings.device, settings.tp_size)
    device = "cpu" if card is None else "cuda"
    refuse(settings, options.family, device, card)
    cuda = cuda_driver.cuda_version(card.driver) if card is not None else None
    main_folder = "-" if own_python() else MAIN[device]
    makes = lane_environments(settings, options.family, options.install and options.family is not None, card, cuda)
    own = main_folder == "-" or _somebodys_own(main_folder)
    if not own and not (options.install and options.family and makes):
        makes = [main_environment(card, cuda), *makes]
    tell(settings, options, device, card, [make.folder for make in makes if ready(make.folder) is None])
    for make in makes:
        words = ["make", make.folder, make.torch, "optional" if make.optional else "needed", *make.locks]
        print("\t".join(words))
    if not options.install:
        print(f"run\t{main_folder}" + ("\tcpu" if card is None and settings.device == "auto" else ""))
    return 0


def refuse(settings: Settings, family: str | None, device: str, card: Gpu | None) -> None:
    """Raises UserError for what the benchmark would refuse as well, once gigabytes are there."""
    capability = capability_of(card)
    check_names(settings, device, family, capability)
    check_headline(settings.headline)
    of_family = [name for name, row in LANES.items() if family in (None, row.family)]
    if not any(device in lanes.devices(name) for name in of_family):
        raise UserError(none_of(family or "", device, capability))
    named = settings.lanes != ("auto",)
    names = [name for name in (settings.lanes if named else LANES) if name in of_family] or of_family
    candidates = []
    for name in names:
        # What neither an environment of ours nor the main one has.
        elsewhere = bool(LANES[name].image) and device not in LANES[name].environments
        absent = lanes.missing(name, device) if elsewhere and not one_card_only(name, settings.tp_size) else None
        if absent and (named or family is not None):
            raise UserError(f"the lane {name} {absent}; {lanes.remedy(name, device)}.")
        if not absent and device in lanes.devices(name):
            candidates.append(name)
    entrants_of(candidates, settings, device)
    if source_of(settings) == "local":
        local_folder(settings)
    lacking = [module for module in TAKEN if own_python() and not here().has(module)]
    if lacking:
        raise UserError(
            f"TRTBENCH_PYTHON={os.environ['TRTBENCH_PYTHON']!r} has a torch and is taken as it is, but lacks {', '.join(lacking)}; install "
            "it there."
        )


def tell(settings: Settings, options: Namespace, device: str, card: Gpu | None, to_make: Sequence[str]) -> None:
    """Say what this start takes; of --install, what the environments take."""
    names = lanes_of(settings, device, to_make, capability_of(card))
    names = [name for name in names if options.family in (None, LANES[name].family)]
    if not options.install:
        print(f"this takes {sentence(estimate(settings, device, to_make, names))}", file=sys.stderr)
    elif to_make:
        print(f"this takes {sentence(of_environments(to_make))}", file=sys.stderr)


def card_for(requested: str, tp_size: int = 1) -> Gpu | None:
    """The card that DEVICE means here, the first of as many as a model is split over; None for the processor. Raises UserError for
    DEVICE=cuda without one, for a GPU_INDEX that is none of those that are there, and for fewer than are needed."""
    if requested == "cpu":
        return None
    gpus, reason = query_gpus()
    card = gpu_in_use(gpus)
    index = os.environ.get("GPU_INDEX")
    if card is None and gpus and index:
        raise UserError(
            f"GPU_INDEX={index} is no GPU of this machine: it takes a number from 0 to {len(gpus) - 1}, as nvidia-smi lists them."
        )
    if card is not None and len(gpus_in_use(gpus)) < tp_size:
        raise UserError(too_few(tp_size, len(gpus_in_use(gpus)), len(gpus)))
    if card is None and gpus:
        reason = f"CUDA_VISIBLE_DEVICES={os.environ.get('CUDA_VISIBLE_DEVICES')!r} shows no GPU of this machine"
    if card is None and requested == "cuda":
        raise UserError(f"DEVICE=cuda, but {reason}; set DEVICE=cpu or see NVIDIA_SETUP.md.")
    if card is None and (gpus or shutil.which("nvidia-smi")):
        _say_once(f"no card is used: {reason}; bash scripts/doctor.sh --for gpu says more")
    return card


@functools.lru_cache(maxsize=8)  # asked for the defaults and for the plan
def _say_once(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def main_environment(card: Gpu | None, cuda: int | None) -> Make:
    """That of the command itself. Raises UserError where no build of torch runs on this card with this driver."""
    if card is None:
        return Make(".venv", ENVIRONMENTS[".venv"].torch, ENVIRONMENTS[".venv"].locks)
    row = ENVIRONMENTS[".venv-cuda"]
    if cuda is None:
        raise UserError(
            f"the CUDA version of NVIDIA driver {card.driver} isn't known, so no torch can be chosen; {ON_CPU}."
        )
    new_enough = card.capability is None or card.capability >= OLDEST_CARD
    if cuda >= row.cuda and new_enough:
        return Make(".venv-cuda", "-", ("cuda-torch", *row.locks))
    old_enough = card.capability is None or OLDER_CARDS[0] <= card.capability <= OLDER_CARDS[1]
    if cuda >= OLDER_CUDA and old_enough:
        reason = f"driver {card.driver}" if new_enough else card.name
        print(
            f"NOT TRIED: {reason} takes torch's build {OLDER_BUILD} from PyTorch's index, by version and not by hash; this project's "
            "cards had the one of PyPI",
            file=sys.stderr,
        )
        return Make(".venv-cuda", OLDER_BUILD, row.locks)
    raise UserError(
        f"no torch that this project installs runs on {card.name} (compute capability {capability_of(card)}) with NVIDIA driver "
        f"{card.driver}: "
        f"PyPI's needs driver {cuda_driver.MIN_DRIVER} and capability 7.5, build {OLDER_BUILD} driver 525 and 5.0 to 9.0. Update it "
        f"(NVIDIA_SETUP.md, step 4), name a Python with a torch of your own in TRTBENCH_PYTHON, or: {ON_CPU}."
    )


def lane_environments(
    settings: Settings, family: str | None, install: bool, card: Gpu | None, cuda: int | None
) -> list[Make]:
    """Those of lanes that have one of their own here. LANES=auto takes the lanes that the card can run, of vLLM only what was
    asked for before, or is now (`install`). Raises UserError for a lane that was named and can't run."""
    if card is None or not may_be_made():
        return []
    named = settings.lanes != ("auto",)
    makes = {}
    for name, row in LANES.items():
        folder = row.environments.get("cuda")
        # As for the benchmark: with a family, LANES restricts it only where it names one of its lanes.
        restricts = named and any(LANES[lane].family == (family or LANES[lane].family) for lane in settings.lanes)
        if folder is None or family not in (None, row.family) or (restricts and name not in settings.lanes):
            continue
        if reason := one_card_only(name, settings.tp_size):
            print(f"{name} is left out: {reason}", file=sys.stderr)
            continue
        if own_python() and not install and lanes.missing(name, "cuda") is None:
            continue
        if row.on_request and not (named or install or ready(folder)):
            if family is None:
                continue
            raise UserError(f"the lane {name} {lanes.missing(name, 'cuda')}; {lanes.remedy(name, 'cuda')}.")
        if _somebodys_own(folder):
            continue
        reason = lanes.unable(name, capability_of(card)) or _not_here(folder, card, cuda)
        doubt = "" if named or family is not None else lanes.doubtful(name, capability_of(card))
        if reason and (named or family is not None):
            setting = f"LANES={show('LANES', settings.lanes)!r}: " if named else ""
            raise UserError(f"{setting}the lane {name} can't run here: {reason}.")
        if reason or doubt:
            print(f"{name} is left out: {reason or f'{doubt}; LANES={name} tries it'}", file=sys.stderr)
            continue
        optional = not named and family is None
        makes[folder] = Make(folder, ENVIRONMENTS[folder].torch or "-", ENVIRONMENTS[folder].locks, optional)
    return list(makes.values())


def capability_of(card: Gpu | None) -> str | None:
    """The compute capability as the lanes' table has it, such as 8.9."""
    return ".".join(map(str, card.capability)) if card is not None and card.capability else None


def _somebodys_own(folder: str) -> bool:
    """Whether that environment is a link, or was not made by scripts/lib.sh: then it is taken as it is."""
    place = ROOT / folder
    return ready(folder) is not None and (place.is_symlink() or not (place / STAMP).exists())


def _not_here(folder: str, card: Gpu, cuda: int | None) -> str:
    """Why the environment's packages can't run with this driver and this Python; empty where they can, as far as is known."""
    row = ENVIRONMENTS[folder]
    if card.capability is not None and card.capability < OLDEST_CARD:
        oldest = ".".join(map(str, OLDEST_CARD))
        return f"its packages have kernels for compute capability {oldest} and newer, and this card has {capability_of(card)}"
    if ready(folder) is None and sys.version_info < row.python:
        return f"its packages need Python {row.python[0]}.{row.python[1]} or newer, and this is {sys.version_info[0]}.{sys.version_info[1]}"
    if cuda is not None and cuda < row.cuda:
        return (
            f"its packages are built for CUDA {row.cuda // 1000}, and NVIDIA driver {card.driver} has {cuda // 1000}.{cuda % 1000 // 10}; "
            f"update it to {cuda_driver.MIN_DRIVER} or newer (NVIDIA_SETUP.md, step 4)"
        )
    return ""


if __name__ == "__main__":
    run_main(main)
