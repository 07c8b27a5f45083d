"""What this machine lacks for the benchmark, and what to do about it.

Standard library only and Python 3.8 syntax, because it runs with the host's own Python before anything is installed.
The checks of the machine itself are in `machine.py`, those of Docker in `docker.py`; here are login, model and report.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import json
import os
import re
import shutil
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from trtbench.docker import (
    IMAGE,
    compose_check,
    daemon_check,
    docker_check,
    docker_disk_check,
    image_is_here,
    toolkit_check,
)
from trtbench.errors import UserError
from trtbench.machine import (
    SECONDS,
    Check,
    disk_check,
    gpu_checks,
    python_check,
    run_program,
    shared_memory_check,
)

ROOT = Path(__file__).resolve().parents[2]
# What the preflight of the engine build and other callers may take from here.
__all__ = [
    "Check",
    "disk_check",
    "gpu_checks",
    "json_report",
    "login_check",
    "model_access_check",
    "python_check",
    "shared_memory_check",
    "text_report",
    "weigh",
]

MODEL = "TinyLlama/TinyLlama-1.1B-Chat-v1.0"
SYNTHETIC = ("demo", "tinyllama")

DATA_GB = 10.0

# ---- image, model, Python ------------------------------------------------------------------------------------------


def login_check(image: str = IMAGE, script: Path | None = None) -> Check:
    """Can Docker pull the image, anonymously or with the stored login? Asked through setup_nvidia_auth.sh --check."""
    name, script = "ngc-login", script or ROOT / "setup_nvidia_auth.sh"
    if shutil.which("docker") and image_is_here(image):
        return Check(name, "ok", f"{image} is already here; no login is needed.")
    if not script.is_file():
        return Check(name, "warn", f"{script.name} is not here, so the login can't be checked.")
    words = ("bash", str(script), "--check", "--image", image, "--timeout", str(SECONDS))
    status, out, err = run_program(*words, seconds=8 * SECONDS)
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
    places = [Path(os.environ.get("HF_HUB_CACHE") or home / "hub"), data]
    patterns = [f"{depth}{folder}/snapshots/*/config.json" for depth in ("", "*/", "*/*/")]
    return any(next(place.glob(pattern), None) is not None for place in places for pattern in patterns)


def _folder_check(folder: Path) -> Check:
    name, figures = "model", {"folder": str(folder)}
    if not folder.is_dir():
        return Check(name, "fail", f"The model folder {folder} does not exist.", "correct MODEL_NAME", figures)
    lacking = [what for what in ("config.json", "*.safetensors", "tokenizer.json") if not any(folder.glob(what))]
    if lacking:
        todo = "download it again, with safetensors weights and the fast tokenizer"
        return Check(name, "fail", f"The model folder {folder} lacks {', '.join(lacking)}.", todo, figures)
    return Check(name, "ok", f"The model is in {folder}.", "", figures)


def model_access_check(model: str = MODEL, offline: bool = False, data: Path | None = None) -> Check:
    """Can the model be had: made here, from a local folder, from a cache, or from the Hugging Face Hub?"""
    name = "model"
    if model in SYNTHETIC:
        return Check(name, "ok", f"{model} is made here; no download.")
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
            described = json.loads(answer.read(10_000_000))
    except urllib.error.HTTPError as error:
        figures["status"] = error.code
        if error.code in (401, 403, 404):
            todo = "correct MODEL_NAME; for a private model set HF_TOKEN"
            return Check(name, "fail", f"The Hub knows no public model {model} ({error.code}).", todo, figures)
        return Check(name, "fail", f"The Hub is out of order ({error.code} for {url}).", "try again later", figures)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return Check(name, "fail", f"The Hub can't be reached at {endpoint}: {reason}.", way_out, figures)
    if isinstance(described, dict) and described.get("gated"):
        if os.environ.get("HF_TOKEN"):
            return Check(name, "ok", f"{model} is gated; HF_TOKEN is set (not tried here).", "", figures)
        todo = "accept its terms on the Hub, then set HF_TOKEN"
        return Check(name, "fail", f"{model} is gated and HF_TOKEN is not set.", todo, figures)
    return Check(name, "ok", f"{model} can be had from {endpoint}.", "", figures)


# ---- the report ----------------------------------------------------------------------------------------------------

NEEDED = {
    "docker": {
        *("docker", "docker-daemon", "compose", "container-toolkit", "docker-disk", "ngc-login"),
        *("gpu", "compute-capability", "driver", "gpu-memory", "disk", "model"),
    },
    "local": {"python", "disk", "model"},
    "engine": {"gpu", "compute-capability", "driver", "gpu-memory", "disk", "shared-memory", "model"},
}


def examine(image: str, model: str, offline: bool, data: Path) -> list[Check]:
    """Run every check, at the same time because several wait for a network, and give the results in a fixed order."""
    checks: list[Callable[[], Check | list[Check]]] = [
        docker_check,
        daemon_check,
        compose_check,
        toolkit_check,
        gpu_checks,
        lambda: docker_disk_check(image),
        lambda: disk_check(data, DATA_GB),
        shared_memory_check,
        lambda: login_check(image),
        lambda: model_access_check(model, offline, data),
        python_check,
    ]
    with concurrent.futures.ThreadPoolExecutor(len(checks)) as pool:
        results = list(pool.map(lambda check: check(), checks))
    return [check for result in results for check in (result if isinstance(result, list) else [result])]


def weigh(checks: list[Check], purpose: str) -> list[Check]:
    """Turn failures that do not matter for `purpose` into warnings that say so."""
    return [
        dataclasses.replace(check, level="warn", sentence=f"{check.sentence} Not needed for '{purpose}'.")
        if check.level == "fail" and check.name not in NEEDED[purpose]
        else check
        for check in checks
    ]


def text_report(checks: list[Check], purpose: str) -> str:
    """The checks as lines for a person; what to do stands below its line."""
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
    return "\n".join(lines) + "\n"


def json_report(checks: list[Check], purpose: str) -> str:
    """The checks as JSON: purpose, ready, and every check with its figures and whether this purpose needs it."""
    rows = [{**dataclasses.asdict(check), "needed": check.name in NEEDED[purpose]} for check in checks]
    ready = all(check.level != "fail" for check in checks)
    return json.dumps({"purpose": purpose, "ready": ready, "checks": rows}, indent=2, ensure_ascii=False) + "\n"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; --help lists the options.")


def _settings_file(path: Path) -> dict[str, str]:
    """The NAME=value lines of `.env`; whether its names are right is the benchmark's business, not the doctor's."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the settings file {path} cannot be read: {error}.") from None
    pairs = re.findall(r"^\s*(?:export\s+)?(\w+)\s*=\s*(.*?)\s*$", text, re.MULTILINE)
    return {
        name: value[1:-1] if value[:1] in ("'", '"') and value[-1:] == value[:1] else value.split(" #")[0].rstrip()
        for name, value in pairs
    }


def _switch(name: str, value: str) -> bool:
    if value.lower() not in ("", "0", "1", "true", "false", "yes", "no", "on", "off"):
        raise UserError(f"{name}={value!r} is not valid: it takes 1 or 0.")
    return value.lower() in ("1", "true", "yes", "on")


def main(arguments: list[str] | None = None) -> int:
    """Examine this machine. Returns 0 when it is ready for the purpose, 1 when something needed fails."""
    parser = _Parser(
        prog="doctor.sh",
        description="Says what this machine lacks for the benchmark, and what to do about it.",
        epilog="Exit status: 0 ready, 1 something needed fails, 2 an option or a setting is wrong.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--for",
        dest="purpose",
        choices=sorted(NEEDED),
        default="docker",
        help="what has to work: docker (the pipeline in containers, the default), local (CPU lanes without Docker), "
        "engine (the engine build, inside the container); failures that do not matter for it are warnings",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    given = parser.parse_args(arguments)
    file = _settings_file(ROOT / ".env")

    def setting(name: str, default: str) -> str:
        return os.environ.get(name) or file.get(name) or default

    # Both are read before either counts, so that a wrong value of the second is told too.
    switches = [_switch(name, setting(name, "")) for name in ("OFFLINE", "HF_HUB_OFFLINE")]
    model = setting("MODEL_NAME", "demo" if given.purpose == "local" else MODEL)
    checks = examine(setting("BASE_IMAGE", IMAGE), model, any(switches), Path(setting("DATA_DIR", str(ROOT / "data"))))
    weighed = weigh(checks, given.purpose)
    sys.stdout.write((json_report if given.json else text_report)(weighed, given.purpose))
    return 1 if any(check.level == "fail" for check in weighed) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
