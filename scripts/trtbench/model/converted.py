"""A folder of pickle weights as a folder of safetensors: converted once, in a process of its own, under a limit.

What a pickle file holds is a program. It is read by torch's weights-only loading alone, and that in a process without the
secrets of this one, without the network, bounded in time and memory.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from trtbench.errors import UserError, reason_of
from trtbench.model.files import check_folder, pickle_files
from trtbench.model.hub import TOKENIZER
from trtbench.model.hub_transfer import DISK_ERRORS, MARGIN
from trtbench.model.pickled import INDEX, SETTING
from trtbench.records import lock
from trtbench.records.files import shown, whole_folder
from trtbench.settings.knobs import ROWS, Settings

CONVERTER = "trtbench.model.pickle_conversion"
SCRIPTS = Path(__file__).resolve().parents[2]
LAYOUT = "1"  # of the folder that pickle_conversion.py writes; another makes it anew
START = 600.0  # seconds that the conversion may take, whatever the size
SLOWEST = 20e6  # bytes a second that are read and written beyond these at least
DESCRIPTION = ("config.json", "generation_config.json", "tokenizer_config.json", *TOKENIZER)


def sources(folder: Path) -> list[Path]:
    """All files that the conversion reads."""
    names = [name for name in (INDEX, *DESCRIPTION) if (folder / name).is_file()]
    return [*pickle_files(folder), *(folder / name for name in names)]


def safetensors_folder(folder: Path, digests: Mapping[str, str], settings: Settings) -> Path:
    """Return the model's folder of safetensors, converting `folder` unless it is there: made aside and renamed, and named by
    `digests`, the SHA-256 of all its sources by name. Raises UserError with the reason where it can't be converted."""
    key = hashlib.sha256(json.dumps([LAYOUT, dict(digests)], sort_keys=True).encode()).hexdigest()[:16]
    home = settings.data / "models" / "converted" / key
    # As in a cache of the Hub, so that the commit is still known where `folder` lies in one.
    final = home / folder.parent.name / folder.name if folder.parent.name == "snapshots" else home / "model"
    try:
        file = lock.opened(home)
        with lock.held(file):  # the second run waits and finds the folder
            if not final.is_dir():
                _convert(folder, final, file.fileno(), settings)
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        raise UserError(
            f"{error.filename or final} cannot be written ({error.strerror}): DATA_DIR must name a folder that belongs to you, "
            "with room for the model a second time."
        ) from None
    check_folder(final)
    return final


def _convert(folder: Path, final: Path, lock_handle: int, settings: Settings) -> None:
    files = pickle_files(folder)
    size = sum(file.stat().st_size for file in files)
    available = shutil.disk_usage(settings.data).free
    if available < size + MARGIN:
        raise UserError(
            f"{SETTING}=1 writes the weights of {folder} a second time, {size / 1e9:.1f} GB, and {settings.data} has "
            f"{available / 1e9:.1f} GB free; free space, or name with DATA_DIR a folder on another disk."
        )
    announce = settings.log_level in ("info", "debug")
    if announce:
        print(
            f"converting {folder} from pickle to safetensors, once ({size / 1e9:.2f} GB)", file=sys.stderr, flush=True
        )
    limit = START + size / SLOWEST
    with whole_folder(final) as making:
        command = (sys.executable, "-m", CONVERTER, str(folder.absolute()), str(making.absolute()), str(size))
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                env=environment(),
                timeout=limit,
                pass_fds=(lock_handle,),  # held until that process too has ended
            )
        except subprocess.TimeoutExpired:
            raise _refusal(folder, f"it took longer than {limit:.0f} s, and was ended") from None
        if done.returncode != 0:
            raise _refusal(folder, _reason(done))
    if announce and done.stdout.strip():
        print(f"  {shown(done.stdout.strip().splitlines()[-1])}", file=sys.stderr, flush=True)


def _refusal(folder: Path, reason: str) -> UserError:
    return UserError(
        f"the weights of {folder} could not be converted to safetensors ({SETTING}=1): {reason}; set MODEL_NAME to a model "
        "that has safetensors."
    )


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    """Why the process ended: what it said last, or the signal that ended it."""
    if done.returncode == -signal.SIGKILL:
        return "the system ended the process (SIGKILL), which it does when memory runs out"
    return reason_of(done.stderr, done.returncode)


def environment() -> dict[str, str]:
    """That of a process for what a model brings: no secrets, no network for models, no card, and no way around weights-only loading."""
    hidden = {name for name, row in ROWS.items() if row.secret}
    hidden |= {"HUGGING_FACE_HUB_TOKEN", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"}
    env = {name: value for name, value in os.environ.items() if name not in hidden}
    return {
        **env,
        "TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONPATH": os.pathsep.join([str(SCRIPTS), *filter(None, [env.get("PYTHONPATH")])]),
    }
