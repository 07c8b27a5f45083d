"""What a start takes: minutes, bytes to download, bytes on the disk, each with its parts.

Every figure was measured, and stands in a file of benchmarks/ that a test holds it against. What was never measured is named as
such and counts nothing. Standard library only and Python 3.8 syntax: it is told before anything is installed.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence

from trtbench.doctor.docker import IMAGE_GB, image_is_here
from trtbench.model.built_in import PACKAGED, folder_of
from trtbench.model.offline import offline_by
from trtbench.model.whereabouts import hub_source, snapshot, source_of
from trtbench.settings import lanes
from trtbench.settings.choosing import one_card_only
from trtbench.settings.environments import ENVIRONMENTS, ready
from trtbench.settings.knobs import COLUMNS, Settings, defaults_of
from trtbench.settings.lanes import LANES

MB, GB = 10**6, 10**9
HALF = 2  # bytes a weight of float16 and bfloat16, in which TinyLlama is published and synthetic models are written
HUB = {
    "TinyLlama/TinyLlama-1.1B-Chat-v1.0": 1_100_048_384 * HALF
}  # bytes of weights by their shape, on the Hub and here


@dataclasses.dataclass(frozen=True)
class Part:
    """What one thing takes. None: it was never measured; 0: nothing."""

    name: str
    minutes: float | None = 0.0
    download: int | None = 0
    disk: int | None = 0
    every_time: bool = False  # not the first time alone
    at_home: bool = False  # on the disk of the clone, and not on that of DATA_DIR


@dataclasses.dataclass(frozen=True)
class Estimate:
    """All parts of a start. `least`: what else decides about its minutes, as half a sentence; empty where nothing does."""

    parts: tuple[Part, ...]
    least: str = ""

    @property
    def minutes(self) -> float:
        return sum(part.minutes or 0 for part in self.parts)

    @property
    def later(self) -> float:
        """Minutes of a start that finds everything."""
        return sum(part.minutes or 0 for part in self.parts if part.every_time)

    @property
    def download(self) -> int:
        return sum(part.download or 0 for part in self.parts)

    @property
    def disk(self) -> int:
        return sum(part.disk or 0 for part in self.parts)

    def unknown(self, *fields: str) -> list[str]:
        """Names of the parts of which one of these was never measured."""
        return [part.name for part in self.parts if any(getattr(part, field) is None for field in fields)]


@dataclasses.dataclass(frozen=True)
class Once:
    """What is done once: its minutes, and the room that it takes."""

    minutes: float
    disk: int = 0


# benchmarks/first_start.json; what has no row was never measured.
MODELS = {
    "smollm2": Once(0.6, 542 * MB),
    "demo": Once(0.1, 38 * MB),
    "tinyllama": Once(0.6, 2201 * MB),
}
# By device and lane: converting or compiling, and as often as each value of its engine's setting is tried at least, a trial's length
# (benchmarks/cpu_lanes.json for smollm2, with the room of first_start.json; for tinyllama's shape h100_rounds.json, with the search
# for tiles of tiles.json, and for ONNX Runtime h200_local.json).
PREPARED = {
    "cpu": {
        "pytorch-compile": Once(1.1, 11 * MB),
        "pytorch-tuned": Once(1.5, 5 * MB),
        "onnxruntime": Once(0.7, 544 * MB),
        "openvino": Once(1.1, 543 * MB),
    },
    "cuda": {
        "pytorch-compile": Once(1.0),
        "pytorch-tuned": Once(2.7),
        "pytorch-triton": Once(0.8),
        "onnxruntime": Once(2.3),
    },
}
MEASURED = {"cpu": ("smollm2",), "cuda": ("tinyllama", *HUB)}  # models of that shape, for which the rows hold
NVIDIAS = ("auto", "build-only", "pytorch-only", "tensorrt-only")  # profiles that run in NVIDIA's image
# Minutes of a whole run on two cores beyond its TIME_BUDGET: start, judge, comparison (cpu_lanes.json).
BESIDE_ROUNDS = 0.4
IN_TIME = ("smollm2", "demo")  # three rounds of their defaults end within TIME_BUDGET on two cores


def estimate(settings: Settings, device: str, to_make: Sequence[str], names: Sequence[str]) -> Estimate:
    """What a start on this `device` takes that makes these environments first and runs the lanes named. Raises UserError for a model
    that can't be."""
    parts = [_environment(name) for name in to_make]
    parts += _model(settings)
    parts += _preparation(settings, device, names)
    return Estimate((*parts, _run(settings, device)), _least(settings, device))


def of_environments(to_make: Sequence[str]) -> Estimate:
    """What making these environments takes, and nothing else."""
    return Estimate(tuple(_environment(name) for name in to_make))


def in_docker(settings: Settings, profile: str, image: str) -> Estimate | None:
    """The same for a profile of docker-compose.yml, whose `image` is pulled where it is not here; None for one that measures
    nothing. Its settings are those in the container. What Docker pulls and builds was never timed here."""
    if profile == "compare-only":
        return None
    parts = []
    if not image_is_here(image):
        size = int(IMAGE_GB * GB) if profile in NVIDIAS else None
        parts.append(Part("image", None, None, size, at_home=True))
    parts += _model(settings)
    if profile in ("auto", "build-only") and not _has_any(str(settings.data / "engines")):
        parts.append(Part("engine", None, 0, None))
    device = "cpu" if profile == "cpu" else "cuda"
    run = [] if profile == "build-only" else [_run(settings, device)]
    return Estimate((*parts, *run), _least(settings, device))


def lanes_of(settings: Settings, device: str, to_make: Sequence[str] = (), capability: str | None = None) -> list[str]:
    """The lanes that a start outside of Docker will run on a card of this compute capability, as far as can be told before it."""
    if settings.lanes != ("auto",):
        return [name for name in settings.lanes if name not in LANES or not one_card_only(name, settings.tp_size)]
    able = [name for name in LANES if not one_card_only(name, settings.tp_size)]
    fit = [name for name in able if not (lanes.unable(name, capability) or lanes.doubtful(name, capability))]
    return [name for name in fit if device in LANES[name].devices and _at_hand(name, device, to_make)]


def _at_hand(name: str, device: str, to_make: Sequence[str]) -> bool:
    row = LANES[name]
    if device in row.environments:
        return row.environments[device] in to_make or ready(row.environments[device]) is not None
    return not row.image


def _environment(name: str) -> Part:
    row = ENVIRONMENTS[name]
    if not row.minutes:
        return Part(name, None, None, None, at_home=True)
    return Part(name, row.minutes, row.download * MB, row.disk * MB, at_home=True)


def _model(settings: Settings) -> list[Part]:
    """The model, where it has to be fetched or made."""
    source, name = source_of(settings), settings.model_name
    if source == "local":
        return []
    if source == "hub":
        if snapshot(hub_source(settings), bool(offline_by(settings))):
            return []
        size = HUB.get(name)
        return [Part("model", None, size, size)]
    models = settings.data / "models"
    made = (
        folder_of(name, models).is_dir()
        if source == "package"
        else any(models.glob(f"synthetic-{name}-{settings.seed}-*"))
    )
    if made:
        return []
    row = MODELS[name]
    return [Part("model", row.minutes, PACKAGED[name].megabytes * MB if source == "package" else 0, row.disk)]


def _preparation(settings: Settings, device: str, names: Sequence[str]) -> list[Part]:
    """What lanes make before their first trial, of those that have nothing in the cache yet: in one part what was measured, and in
    one what was not."""
    # Over several cards none of it was timed.
    measured = PREPARED[device] if settings.model_name in MEASURED[device] and settings.tp_size == 1 else {}
    new = [
        name
        for name in names
        if name in LANES and LANES[name].prepares and not _has_any(str(settings.data / "cache" / name))
    ]
    known = [measured[name] for name in new if name in measured]
    parts = []
    if known:
        parts.append(Part("preparing", sum(once.minutes for once in known), 0, sum(once.disk for once in known)))
    unknown = [name for name in new if name not in measured]
    if unknown:
        parts.append(Part(f"preparing {', '.join(unknown)}", None, 0, None))
    return parts


def _has_any(folder: str) -> bool:
    try:
        return any(not name.startswith(".") for name in os.listdir(folder))
    except OSError:
        return False


def _run(settings: Settings, device: str) -> Part:
    """The rounds, and what stands around them: at most TIME_BUDGET, where that decides. What stands around them was timed on a
    processor only."""
    if settings.trials and not _asked(settings):
        return Part("the run", None, 0, 0, every_time=True)
    return Part("the run", settings.time_budget / 60 + (BESIDE_ROUNDS if device == "cpu" else 0), 0, 0, every_time=True)


def _asked(settings: Settings) -> bool:
    """Whether somebody set TIME_BUDGET, as far as its value tells: else it does not bind before three rounds, nor a fixed TRIALS."""
    return settings.time_budget not in {defaults_of(column)["TIME_BUDGET"] for column in COLUMNS}


def _least(settings: Settings, device: str) -> str:
    if _asked(settings) or (device == "cpu" and settings.model_name in IN_TIME):
        return ""
    if settings.trials:
        return ""
    return "more where three rounds of trials take longer than TIME_BUDGET"


def sentence(taken: Estimate) -> str:
    """An estimate in one line, for a person who has to decide whether to wait."""
    text = f"{'at least' if taken.unknown('minutes') else 'about'} {_minutes(taken.minutes)}"
    if any(not part.every_time for part in taken.parts):
        download = _amount(taken.download, bool(taken.unknown("download")))
        disk = _amount(taken.disk, bool(taken.unknown("disk")))
        text += f" the first time: {download} to download, {disk} on the disk{_shares(taken.parts)}"
        if taken.later:
            text += f"; later runs about {_minutes(taken.later)}"
    if taken.least:
        text += f" ({taken.least})"
    lacking = [_lacking(part) for part in taken.parts if None in (part.minutes, part.download, part.disk)]
    return text + (f"; never measured, so not counted: {', '.join(lacking)}" if lacking else "")


def _amount(known: int, more: bool) -> str:
    if more:
        return f"at least {readable(known)}" if known else "an unknown amount"
    return readable(known)


def _shares(parts: Sequence[Part]) -> str:
    shares = [f"{part.name} {readable(part.disk)}" for part in parts if part.disk]
    return f" ({', '.join(shares)})" if shares else ""


def _lacking(part: Part) -> str:
    """A part, and what of it was never measured; the name alone where that is all."""
    fields = [
        word
        for word, value in (("minutes", part.minutes), ("download", part.download), ("disk", part.disk))
        if value is None
    ]
    return (
        part.name
        if len(fields) == 3 or not (part.download or part.disk or part.minutes)
        else f"{part.name} ({', '.join(fields)})"
    )


def _minutes(minutes: float) -> str:
    whole = max(1, round(minutes))
    return f"{whole} minute" + ("" if whole == 1 else "s")


def readable(size: int) -> str:
    """Bytes as a person reads them."""
    if size >= GB:
        return f"{size / GB:.1f} GB"
    return f"{size / MB:.0f} MB" if size else "nothing"


def figures(taken: Estimate) -> dict[str, object]:
    """An estimate as data: minutes and bytes; null is what was never measured."""
    parts = [
        {
            "name": part.name,
            "minutes": part.minutes,
            "download": part.download,
            "disk": part.disk,
            "every_time": part.every_time,
        }
        for part in taken.parts
    ]
    return {
        "minutes": round(taken.minutes, 1),
        "later_minutes": round(taken.later, 1),
        "download": taken.download,
        "disk": taken.disk,
        "parts": parts,
    }
