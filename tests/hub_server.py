"""A small model hub on loopback that can misbehave: what huggingface_hub asks for a listing and for files, no more."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclasses.dataclass
class Request:
    """What was asked for, as the hub saw it."""

    path: str
    range: str | None
    authorization: str | None


@dataclasses.dataclass
class Refusal:
    """An error answer. `codes` are the Hub's own error headers."""

    status: int
    code: str = ""
    message: str = ""


class Hub:
    """Serves `files` as the model `name` at one commit, under the names in `refs`, until `close`.

    The other fields are ways to misbehave; the key of each is a file name, or "api" for the listing.
    """

    def __init__(self, files: dict[str, bytes], name: str = "org/tiny", commit: str = COMMIT) -> None:
        self.files, self.name, self.commit = dict(files), name, commit
        self.refs = {"main": commit, commit: commit}
        self.log: list[Request] = []
        self.refusals: dict[str, Refusal] = {}
        self.cuts: dict[str, list[int]] = {}  # bytes to send before the connection is cut, one for each request
        self.dies: set[str] = set()  # after its last cut the file is answered with 503
        self.stalls: dict[str, list[float]] = {}  # seconds to say nothing before answering, one for each request
        self.wrong: dict[str, bytes] = {}  # served in place of what is listed
        self.unserved: set[str] = set()  # listed, but not there
        self.sizes: dict[str, int] = {}  # listed in place of the true size
        self.hidden: set[str] = set()  # listed without size and hash, as some mirrors do
        self.answer: bytes | None = None  # the body of the listing, whatever it is
        self.ranges = True  # False: a request for a range is answered with the whole file
        self.storage: Hub | None = None  # files are redirected to this host
        self.moved: dict[str, str] = {}  # old names of the model
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def asked(self) -> list[str]:
        """Names of the files that were asked for, in order."""
        return [request.path.rsplit("/", 1)[1] for request in self.log if "/resolve/" in request.path]

    def listing(self) -> bytes:
        if self.answer is not None:
            return self.answer
        siblings: list[dict[str, Any]] = []
        for name, content in self.files.items():
            entry: dict[str, Any] = {"rfilename": name}
            if name not in self.hidden:
                size = self.sizes.get(name, len(content))
                blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
                entry.update(size=size, blobId=blob)
                if name.endswith((".safetensors", ".bin")):
                    entry["lfs"] = {"size": size, "sha256": hashlib.sha256(content).hexdigest(), "pointerSize": 135}
            siblings.append(entry)
        return json.dumps({"id": self.name, "sha": self.commit, "siblings": siblings}).encode()


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            pass  # the log of the hub is `Hub.log`

        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            hub.log.append(Request(path, self.headers.get("Range"), self.headers.get("Authorization")))
            parts = [unquote(part) for part in path.strip("/").split("/")]
            api = parts[:2] == ["api", "models"]
            model = "/".join(parts[2:4] if api else parts[:2])
            if model in hub.moved:
                self.send(307, {"Location": path.replace(model, hub.moved[model])})
            elif model != hub.name:
                self.refuse(Refusal(404, "RepoNotFound", "Repository not found"))
            elif api:
                self.list(parts[5] if len(parts) == 6 and parts[4] == "revision" else "main")
            elif len(parts) == 5 and parts[2] == "resolve" and parts[3] in hub.refs:
                self.file(parts[4])
            else:
                self.refuse(Refusal(404, "RevisionNotFound", "Invalid rev id"))

        def list(self, revision: str) -> None:
            time.sleep(hub.stalls["api"].pop(0) if hub.stalls.get("api") else 0)
            if "api" in hub.refusals:
                self.refuse(hub.refusals["api"])
            elif revision not in hub.refs:
                self.refuse(Refusal(404, "RevisionNotFound", "Invalid rev id"))
            else:
                self.send(200, {"Content-Type": "application/json"}, hub.listing())

        def file(self, name: str) -> None:
            time.sleep(hub.stalls[name].pop(0) if hub.stalls.get(name) else 0)
            if name in hub.refusals:
                self.refuse(hub.refusals[name])
            elif name in hub.dies and not hub.cuts.get(name):
                self.refuse(Refusal(503))
            elif name in hub.unserved or name not in hub.files:
                self.refuse(Refusal(404, "EntryNotFound", "Entry not found"))
            elif hub.storage is not None:
                self.send(302, {"Location": f"{hub.storage.url}{urlsplit(self.path).path}"})
            else:
                self.content(name, hub.wrong.get(name, hub.files[name]))

        def content(self, name: str, whole: bytes) -> None:
            headers = {"ETag": f'"{hashlib.sha256(whole).hexdigest()}"', "X-Repo-Commit": hub.commit}
            status, first = 200, 0
            wanted = self.headers.get("Range")
            if wanted and hub.ranges:
                status, first = 206, int(wanted.removeprefix("bytes=").rstrip("-"))
                headers["Content-Range"] = f"bytes {first}-{len(whole) - 1}/{len(whole)}"
            body = whole[first:]
            if hub.cuts.get(name):
                keep = hub.cuts[name].pop(0)
                headers["Content-Length"] = str(len(body))
                self.send(status, headers, body[:keep])
                self.close_connection = True
            else:
                self.send(status, headers, body)

        def refuse(self, refusal: Refusal) -> None:
            headers = {"X-Error-Code": refusal.code, "X-Error-Message": refusal.message}
            self.send(refusal.status, {k: v for k, v in headers.items() if v}, b"{}")

        def send(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
            try:
                self.send_response(status)
                for key, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(body)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # the client gave up, as it should after a stall

    return Handler
