"""What a machine is asked to run, checked, and the environment in which it is run there: what the plan says, what is the machine's
own matter, and nothing else.

Standard library only and Python 3.8 syntax, like on_machine.py."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from trtbench.errors import UserError
from trtbench.settings.knobs import ALIASES, ROWS
from trtbench.settings.reading import parse, read_file

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,127}")  # of a run and of a fleet: they are folders
LONGEST = 4096  # characters of a value
# What a machine's own environment or .env may say: where its files lie, whether it may ask the network, and as whom.
OWN = ("DATA_DIR", "RESULTS_DIR", "EXAMPLES_DIR", "OFFLINE", "HF_TOKEN")
# What no plan may say: the three above that are places, and what has a place of its own in it or is given out by Ray.
_NOT_ASKED = ("DATA_DIR", "RESULTS_DIR", "GPU_INDEX", "MODEL_NAME", "PRECISION")
# Words alone: what the reports of every machine are in.
_FIXED = {"REPORT_LANG": "en", "LOG_LEVEL": "info"}
# What Ray puts into a job's environment beside RAY_…, and what names another command than ours. OMP_NUM_THREADS is one of them: it
# would have lanes compute on as many threads as Ray counts processors for the job.
_OF_RAY = (
    "OMP_NUM_THREADS",
    "PYTHONBREAKPOINT",
    "SPT_NOENV",
    "TRTBENCH_CLONE",
    "TRTBENCH_COMMAND",
    "TRTBENCH_EXCLUSIVE",
)


class Asked(NamedTuple):
    """A run of a fleet; `settings` are texts by their names, `fleet` says which fleet's it is, so that what is finished is not
    measured again for it. It was given so many `cards`, whose numbers are `visible`."""

    id: str
    model: str
    precision: str
    settings: dict[str, str]
    docker: bool
    fleet: str
    cards: int
    visible: list[str]


def asked(environment: Mapping[str, str]) -> Asked:
    """The run that stands in the environment. Raises UserError where it is none, or its cards are not those it was promised."""
    text = environment.get("TRTBENCH_FLEET_RUN", "")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise UserError("TRTBENCH_FLEET_RUN is not JSON; scripts/fleet.sh sets it for what it has Ray start.") from None
    kinds = {"id": str, "model": str, "precision": str, "settings": dict, "docker": bool}
    if not isinstance(value, dict) or not set(kinds) <= set(value) <= {*kinds, "fleet"}:
        raise UserError(f"TRTBENCH_FLEET_RUN has not the fields {', '.join(kinds)}; is this clone of another version?")
    value = {"fleet": "", **value}
    for name, kind in {**kinds, "fleet": str}.items():
        if not isinstance(value[name], kind):
            raise UserError(
                f"TRTBENCH_FLEET_RUN: {name}={value[name]!r:.300} is not valid; it takes a {kind.__name__}."
            )
    for name in ("id", "fleet"):
        if not NAME.fullmatch(value[name]) and (name, value[name]) != ("fleet", ""):
            raise UserError(
                f"TRTBENCH_FLEET_RUN: {name}={value[name]!r:.300} is not valid; it takes a-z, 0-9, - and _ alone."
            )
    for name, text in value["settings"].items():
        own = ALIASES.get(name, name)
        if own not in ROWS or ROWS[own].secret or own in _NOT_ASKED:
            raise UserError(f"TRTBENCH_FLEET_RUN: {name!r:.300} is no setting that a fleet may give.")
        _check(name, text)
    for name in ("model", "precision"):
        _check({"model": "MODEL_NAME", "precision": "PRECISION"}[name], value[name])
    return Asked(**value, **_cards(environment))


def _check(name: str, text: Any) -> None:
    """Raises UserError for a value that the setting does not take."""
    if not isinstance(text, str) or len(text) > LONGEST or not text.isprintable() or not text.strip():
        raise UserError(f"TRTBENCH_FLEET_RUN: {name}={text!r:.300} is not valid; it takes a text in one line.")
    parse(name, text)


def _cards(environment: Mapping[str, str]) -> dict[str, Any]:
    """How many cards Ray promised, and which ones it gave."""
    text = environment.get("TRTBENCH_FLEET_CARDS", "0")
    if not re.fullmatch(r"[0-9]{1,3}", text):
        raise UserError(f"TRTBENCH_FLEET_CARDS={text!r:.300} is not valid; it takes a whole number.")
    count = int(text)
    visible = [card.strip() for card in environment.get("CUDA_VISIBLE_DEVICES", "").split(",") if card.strip()]
    if count and len(set(visible)) != count:
        raise UserError(
            f"Ray promised {count} and gave CUDA_VISIBLE_DEVICES={','.join(visible)!r:.300}, so another run could use the same card; "
            "start Ray on this machine without RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES and with --num-gpus as it has cards."
        )
    return {"cards": count, "visible": visible if count else []}


def environment_for(run: Asked, given: Mapping[str, str], clone: Path) -> dict[str, str]:
    """The environment in which a run is made in this clone. Raises UserError where the clone's .env says of it what the plan
    does not: two machines with other settings are not compared."""
    settings = {*ROWS, *ALIASES}
    kept = {
        name: value
        for name, value in given.items()
        if not name.startswith(("RAY_", "TRTBENCH_FLEET_"))
        and name not in _OF_RAY
        and (name not in settings or name in OWN)
    }
    _leave_environment(kept, clone / ".venv-fleet")
    kept.update(_FIXED, MODEL_NAME=run.model, PRECISION=run.precision, CUDA_VISIBLE_DEVICES=",".join(run.visible))
    kept.update(run.settings)
    if run.cards:
        kept["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"  # in which Ray counts them
    if run.docker:
        _give_cards_to_docker(kept, run)
    named = {ALIASES.get(name, name) for name in kept}
    for name in read_file(clone / ".env", kept):
        own = ALIASES.get(name, name)
        if own in ROWS and own not in named and own not in OWN and not ROWS[own].secret:
            raise UserError(
                f"{clone / '.env'} sets {name}, and the plan does not: machines with other settings are not compared; take the line "
                "out, or put it into the plan's settings."
            )
    return kept


def _leave_environment(kept: dict[str, str], folder: Path) -> None:
    """Ray's own environment is none to measure in: its Python would be taken for the machine's."""
    tools = folder / "bin"
    kept["PATH"] = os.pathsep.join(
        part for part in kept.get("PATH", os.defpath).split(os.pathsep) if Path(part) != tools
    )
    if kept.get("VIRTUAL_ENV") == str(folder):
        del kept["VIRTUAL_ENV"]
    # What the entrypoint (ray_jobs.py) put there; the scripts put the whole path.
    first, _, rest = kept.get("PYTHONPATH", "").partition(os.pathsep)
    if first == "scripts":
        kept["PYTHONPATH"] = rest
    if not kept.get("PYTHONPATH"):
        kept.pop("PYTHONPATH", None)


def _give_cards_to_docker(kept: dict[str, str], run: Asked) -> None:
    """A container gets its cards by GPU_INDEX and TP_SIZE, which are numbers that follow each other."""
    del kept["CUDA_VISIBLE_DEVICES"]
    if not run.cards:
        return
    size = int(run.settings.get("TP_SIZE", "1"))
    if not all(card.isdigit() for card in run.visible):
        raise UserError(f"Docker is given cards by their numbers, and Ray gave {','.join(run.visible)!r:.300}.")
    numbers = sorted(map(int, run.visible))[:size]
    if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        raise UserError(
            f"Ray gave the cards {','.join(map(str, numbers))}, and with TP_SIZE={size} Docker is given those that follow each other; "
            "let the kind take all cards of the machine, or leave its docker away."
        )
    kept["GPU_INDEX"] = str(numbers[0])
