"""What making each built-in model takes, and the room of what lanes convert: makes first_start.json, from which a start tells it.

    PYTHONPATH=scripts python benchmarks/first_start.py FOLDER [DATA]

Models are made anew in FOLDER, smollm2 by way of the index. DATA is the DATA_DIR of a finished preparation with smollm2; what its
lanes hold in cache/ is read there. What runs beside it makes the seconds more, never less, so the fewest of several calls stay.
Seconds are of the wall clock.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from trtbench.machine.host import cpu_model, usable_cores
from trtbench.model.built_in import PACKAGED, SYNTHETIC
from trtbench.model.finding import resolve
from trtbench.settings.knobs import Settings

OUT = Path(__file__).resolve().with_suffix(".json")


def bytes_of(folder: Path) -> int:
    return sum(file.lstat().st_blocks * 512 for file in (folder, *folder.rglob("*")))


def made(name: str, folder: Path) -> dict[str, Any]:
    shutil.rmtree(folder, ignore_errors=True)
    settings = dataclasses.replace(Settings(), model_name=name, data_dir=str(folder), log_level="error")
    began = time.perf_counter()
    model = resolve(settings)
    seconds = time.perf_counter() - began
    entry = {"seconds": round(seconds, 1), "bytes": bytes_of(model)}
    shutil.rmtree(folder)
    return entry


def main(folder: Path, data: Path | None) -> None:
    kept = json.loads(OUT.read_text(encoding="utf-8")) if OUT.is_file() else {}
    cpu = f"{usable_cores()} x {cpu_model()}"
    earlier = kept["models"] if kept.get("cpu") == cpu else {}
    entry: dict[str, Any] = {
        "cpu": cpu,
        "models": {name: made(name, folder / name) for name in (*PACKAGED, *SYNTHETIC)},
        "caches": kept.get("caches", {}),
    }
    for name, model in entry["models"].items():
        model["seconds"] = min(model["seconds"], earlier.get(name, model)["seconds"])
    if data is not None:
        lanes = sorted(path for path in (data / "cache").iterdir() if any(path.glob("*/prepared.json")))
        entry["caches"] = {path.name: bytes_of(path) for path in lanes}
    OUT.write_text(json.dumps(entry, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
