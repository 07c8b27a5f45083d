"""Can image and model be had: NGC's login, a model's folder, the caches, the Hugging Face Hub.

Standard library only and Python 3.8 syntax, because the doctor runs with the host's own Python before anything is installed.
"""

from __future__ import annotations

import base64
import dataclasses
import http.client
import json
import os
import re
import shutil
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from trtbench.doctor.docker import IMAGE, image_is_here
from trtbench.errors import UserError
from trtbench.machine.checks import SECONDS, Check, run_program
from trtbench.model.built_in import PACKAGED, SYNTHETIC
from trtbench.model.files import check_config, pickle_files
from trtbench.model.hub_errors import Source, no_id, not_usable, offline_sentence
from trtbench.model.pickled import SETTING
from trtbench.model.whereabouts import PINNED, hub_source, local_folder, packaged_folder, snapshot, source_of
from trtbench.settings.knobs import ROOT, Settings

PICKLED = (
    f" Its weights are pickle files, which the benchmark converts to safetensors once ({SETTING}=1; not tried here)."
)
WORKSPACE = Path("/workspace")  # in the images, where docker-compose.yml puts ./data and ./scripts


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


def as_in_container(settings: Settings) -> Settings:
    """The settings as a container of docker-compose.yml has them: its data is ./data whatever DATA_DIR says, and of this machine
    it sees that folder and scripts/ alone. Raises UserError for a model in another folder."""
    settings = dataclasses.replace(settings, data_dir=str(ROOT / "data"))
    name = settings.model_name
    if settings.model_source not in ("auto", "local") or name in (*SYNTHETIC, *PACKAGED):
        return settings
    inside = Path(os.path.normpath(WORKSPACE / name))
    parts = inside.relative_to(WORKSPACE).parts if WORKSPACE in inside.parents else ()
    seen = ROOT.joinpath(*parts) if parts and parts[0] in ("data", "scripts") else None
    if name.startswith((".", "/", "~")) or settings.model_source == "local":
        if seen is None:
            raise UserError(
                f"MODEL_NAME={name!r} is outside of ./data, and containers see nothing else of this machine; put the model into "
                "./data/models and write MODEL_NAME=./data/models/…"
            )
    elif seen is None or not seen.is_dir():
        return dataclasses.replace(settings, model_source="hub")
    return dataclasses.replace(settings, model_name=str(seen), model_source="local")


def offline_in_container(settings: Settings) -> str | None:
    """What forbids the network there: Compose hands OFFLINE on, and the Hub's own variables not."""
    return "OFFLINE=1" if settings.offline else None


def model_access_check(settings: Settings, offline: str | None) -> Check:
    """Can the model be had: made here, from a folder, from DATA_DIR, or from the network? `offline`: the setting that forbids
    the network. Whether it is here is decided, and told, as the benchmark does it."""
    name = settings.model_name
    try:
        source = source_of(settings)
        if source == "synthetic":
            return Check("model", "ok", f"{name} is made here; no download.")
        if source == "local":
            folder = local_folder(settings)
            return Check("model", "ok", f"The model is in {folder}.{_conversion(folder)}", "", {"folder": str(folder)})
        if source == "package":
            return _packaged_check(settings, offline)
        return _hub_check(settings, offline)
    except UserError as error:
        return Check("model", "fail", str(error), "", {"model": name})


def _conversion(folder: Path) -> str:
    return PICKLED if pickle_files(folder) else ""


def _packaged_check(settings: Settings, offline: str | None) -> Check:
    name, row = settings.model_name, PACKAGED[settings.model_name]
    if packaged_folder(settings):
        return Check("model", "ok", f"{name} is there.", "", {"cached": True})
    if offline:
        todo = "run once without it, or set MODEL_NAME to demo or a local folder"
        return Check("model", "fail", f"{offline} forbids the network, and {name} is not there yet.", todo)
    package = f"{row.package} {row.version}"
    sentence = f"{name} comes with {package} from pip's index ({row.megabytes} MB; not tried here)."
    return Check("model", "ok", sentence)


def _hub_check(settings: Settings, offline: str | None) -> Check:
    name = settings.model_name
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", name):
        raise UserError(no_id(name, next(iter(PINNED))))
    source = hub_source(settings)
    if folder := snapshot(source, bool(offline)):
        sentence = f"{name} is in {folder}.{_conversion(folder)}"
        return Check("model", "ok", sentence, "", {"cached": True, "folder": str(folder)})
    if offline:
        raise UserError(offline_sentence(source, offline))
    return _asked_check(source)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """The token goes to no other host than the one it is for."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if request is not None and urllib.parse.urlsplit(newurl)[:2] != urllib.parse.urlsplit(req.full_url)[:2]:
            request.remove_header("Authorization")
        return request


def _get(source: Source, path: str) -> bytes:
    """What the Hub answers, 10 MB at most. Raises OSError, HTTPException and ValueError."""
    headers = {}
    user, at, _ = urllib.parse.urlsplit(source.endpoint).netloc.rpartition("@")
    if source.token:
        headers["Authorization"] = f"Bearer {source.token}"
    elif at:
        headers["Authorization"] = "Basic " + base64.b64encode(urllib.parse.unquote(user).encode()).decode()
    request = urllib.request.Request(f"{source.shown}/{path}", headers=headers)
    with urllib.request.build_opener(_Redirects).open(request, timeout=SECONDS) as answer:
        return bytes(answer.read(10_000_000))


def _asked_check(source: Source) -> Check:
    """Ask the Hub for the list of files and for the configuration, as the benchmark will: a model that can't be used is told
    before anything large moves."""
    name, model = "model", urllib.parse.quote(source.name)
    revision = urllib.parse.quote(source.revision, safe="")
    figures: dict[str, Any] = {"url": source.page, "revision": source.revision}
    try:
        listing = json.loads(_get(source, f"api/models/{model}/revision/{revision}"))
        commit, files = str(listing["sha"]), sorted(str(file["rfilename"]) for file in listing["siblings"])
        unusable = not_usable(source, commit, files)
        if unusable:
            return Check(name, "fail", unusable, "", figures)
        with tempfile.TemporaryDirectory() as folder:
            for file in ("config.json", "tokenizer_config.json"):
                if file in files:
                    content = _get(source, f"{model}/resolve/{urllib.parse.quote(commit)}/{file}")
                    (Path(folder) / file).write_bytes(content)
            check_config(Path(folder), f"{source.name} on the Hub")
    except urllib.error.HTTPError as error:
        figures["status"] = error.code
        return _refused(source, error.code, error.headers.get("X-Error-Code") or "", figures)
    except OSError as error:
        reason: object = getattr(error, "reason", error)
        todo = "check network and HTTPS_PROXY, or set MODEL_NAME to a local folder"
        return Check(name, "fail", f"The Hub can't be reached at {source.shown}: {reason}.", todo, figures)
    except (http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        sentence = f"{source.shown} does not answer as a Hub does ({type(error).__name__}: {error})."
        return Check(name, "fail", sentence, "look at HF_ENDPOINT and at HTTPS_PROXY", figures)
    with_token = " with the HF_TOKEN that is set" if source.token and listing.get("gated") else ""
    converted = PICKLED if not any(file.endswith(".safetensors") for file in files) else ""
    return Check(name, "ok", f"{source.name} can be had from {source.shown}{with_token}.{converted}", "", figures)


def _refused(source: Source, status: int, code: str, figures: dict[str, Any]) -> Check:
    name = "model"
    if code == "RevisionNotFound":
        sentence = f"MODEL_REVISION={source.revision!r} does not exist for {source.name}."
        return Check(name, "fail", sentence, f"take one that is listed at {source.page}/commits/main, or none", figures)
    if code == "GatedRepo" or status == 403:
        has = "the HF_TOKEN that is set has no access" if source.token else "HF_TOKEN is not set"
        todo = f"accept its terms at {source.page}, then set HF_TOKEN to a token of that account"
        return Check(name, "fail", f"{source.name} is gated and {has}.", todo, figures)
    if status in (401, 404):
        todo = "correct MODEL_NAME; for a private model set HF_TOKEN to a token that may read it"
        asked = "to the HF_TOKEN that is set" if source.token else "without HF_TOKEN"
        return Check(name, "fail", f"The Hub shows no model {source.name} {asked} ({status}).", todo, figures)
    return Check(name, "fail", f"The Hub is out of order ({status} for {source.page}).", "try again later", figures)
