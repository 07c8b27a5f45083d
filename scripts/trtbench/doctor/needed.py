"""Which virtual environments a call of the benchmark needs on this machine, for scripts/lib.sh, which makes them.

python -m trtbench.doctor.needed OPTIONS   the benchmark's own options; the settings are read, and wrong ones refused, before
anything is installed. On standard output a line for each thing to do, its words behind tabs:

    make FOLDER TORCH needed|optional LOCK...   an environment; TORCH is cpu, a build of PyTorch's index (cu126), or - where a lock
                                                has it
    run FOLDER                                  the environment that the benchmark itself runs in; - is this Python

Standard library only and Python 3.8 syntax.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence

from trtbench.doctor.estimate import estimate, lanes_of, sentence
from trtbench.errors import UserError, run_main
from trtbench.machine import cuda_driver
from trtbench.machine.requirements import Gpu, gpu_in_use, query_gpus
from trtbench.settings import lanes
from trtbench.settings.choosing import check_names, none_of
from trtbench.settings.environments import ENVIRONMENTS, MAIN, STAMP, may_be_made, own_python, ready
from trtbench.settings.knobs import ROOT, Settings, show
from trtbench.settings.lanes import LANES
from trtbench.settings.options import parser, settings_for

# Builds of PyTorch's own index for drivers and cards that PyPI's wheel is too new for; PyTorch's RELEASE.md (2.13) names these.
OLDER_BUILD, OLDER_CUDA, OLDER_CARDS = "cu126", 12000, ((5, 0), (9, 0))
OLDEST_CARD = (7, 5)  # that PyPI's wheel has kernels for
NO_CPU = "bash scripts/bench_local.sh --cpu measures the processor's lanes"


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
    card = card_for(settings.device)
    device = "cpu" if card is None else "cuda"
    cuda = cuda_driver.cuda_version(card.driver) if card is not None else None
    check_names(settings, device, options.family, _capability(card))
    of_family = [name for name, row in LANES.items() if row.family == options.family]
    if options.family and not any(device in lanes.devices(name) for name in of_family):
        raise UserError(none_of(options.family, device, _capability(card)))
    main_folder = "-" if own_python() else MAIN[device]
    makes = lane_environments(settings, options.family, options.install and options.family is not None, card, cuda)
    if main_folder != "-" and not (options.install and options.family and makes):
        makes = [main_environment(card, cuda), *makes]
    to_make = [make.folder for make in makes if ready(make.folder) is None]
    if not options.install:
        names = [
            name
            for name in lanes_of(settings, device, to_make)
            if options.family in (None, LANES[name].family)
            and not lanes.unable(name, _capability(card))
            and (settings.lanes != ("auto",) or not lanes.doubtful(name, _capability(card)))
        ]
        print(f"this takes {sentence(estimate(settings, device, to_make, names))}", file=sys.stderr)
    for make in makes:
        words = ["make", make.folder, make.torch, "optional" if make.optional else "needed", *make.locks]
        print("\t".join(words))
    if not options.install:
        print(f"run\t{main_folder}")
    return 0


def card_for(requested: str) -> Gpu | None:
    """The card that DEVICE means here; None for the processor. Raises UserError for DEVICE=cuda without one."""
    if requested == "cpu":
        return None
    gpus, reason = query_gpus()
    card = gpu_in_use(gpus)
    if card is None and requested == "cuda":
        raise UserError(
            f"DEVICE=cuda, but {reason or 'CUDA_VISIBLE_DEVICES shows no card'}; set DEVICE=cpu or see NVIDIA_SETUP.md."
        )
    return card


def main_environment(card: Gpu | None, cuda: int | None) -> Make:
    """That of the command itself. Raises UserError where no build of torch runs on this card with this driver."""
    if card is None:
        return Make(".venv", ENVIRONMENTS[".venv"].torch, ENVIRONMENTS[".venv"].locks)
    row = ENVIRONMENTS[".venv-cuda"]
    if cuda is None:
        raise UserError(
            f"the CUDA version of NVIDIA driver {card.driver} isn't known, so no torch can be chosen; {NO_CPU}."
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
        f"no torch that this project installs runs on {card.name} (compute capability {_capability(card)}) with NVIDIA driver "
        f"{card.driver}: "
        f"PyPI's needs driver {cuda_driver.MIN_DRIVER} and capability 7.5, build {OLDER_BUILD} driver 525 and 5.0 to 9.0. Update it "
        f"(NVIDIA_SETUP.md, step 4), name a Python with a torch of your own in TRTBENCH_PYTHON, or: {NO_CPU}."
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
        if folder is None or family not in (None, row.family) or (named and name not in settings.lanes):
            continue
        if own_python() and not install and lanes.missing(name, "cuda") is None:
            continue
        if row.on_request and not (named or install or ready(folder)):
            if family is None:
                continue
            raise UserError(f"the lane {name} {lanes.missing(name, 'cuda')}; {lanes.remedy(name, 'cuda')}.")
        if _somebodys_own(folder):
            continue
        reason = lanes.unable(name, _capability(card)) or _not_here(folder, card, cuda)
        doubt = "" if named or family is not None else lanes.doubtful(name, _capability(card))
        if reason and (named or family is not None):
            setting = f"LANES={show('LANES', settings.lanes)!r}: " if named else ""
            raise UserError(f"{setting}the lane {name} can't run here: {reason}.")
        if reason or doubt:
            print(f"{name} is left out: {reason or f'{doubt}; LANES={name} tries it'}", file=sys.stderr)
            continue
        optional = not named and family is None
        makes[folder] = Make(folder, ENVIRONMENTS[folder].torch or "-", ENVIRONMENTS[folder].locks, optional)
    return list(makes.values())


def _capability(card: Gpu | None) -> str | None:
    """The compute capability as the lanes' table has it, such as 8.9."""
    return ".".join(map(str, card.capability)) if card is not None and card.capability else None


def _somebodys_own(folder: str) -> bool:
    """Whether that environment was not made by scripts/lib.sh: then it is taken as it is."""
    return ready(folder) is not None and not (ROOT / folder / STAMP).exists()


def _not_here(folder: str, card: Gpu, cuda: int | None) -> str:
    """Why the environment's packages can't run with this driver and this Python; empty where they can, as far as is known."""
    row = ENVIRONMENTS[folder]
    if sys.version_info < row.python:
        return f"its packages need Python {row.python[0]}.{row.python[1]} or newer, and this is {sys.version_info[0]}.{sys.version_info[1]}"
    if cuda is not None and cuda < row.cuda:
        return (
            f"its packages are built for CUDA {row.cuda // 1000}, and NVIDIA driver {card.driver} has {cuda // 1000}.{cuda % 1000 // 10}; "
            f"update it to {cuda_driver.MIN_DRIVER} or newer (NVIDIA_SETUP.md, step 4)"
        )
    return ""


if __name__ == "__main__":
    run_main(main)
