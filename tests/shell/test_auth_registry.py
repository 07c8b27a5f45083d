"""setup_nvidia_auth.sh against a real Docker client, daemon and registry with a password, all on this machine."""

from __future__ import annotations

import base64
import http.server
import json
import os
import pty
import re
import select
import shutil
import socket
import subprocess
import termios
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lacking import lacking

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = str(ROOT / "setup_nvidia_auth.sh")
ENGINE = str(ROOT / "tests" / "docker" / "engine.sh")
IMAGE = "nvidia/tensorrt-llm/release:1.2.1"
KEY = "nvapi-" + "Right0Key_" * 6 + "Zz-9"
WRONG = "nvapi-" + "Wrong0Key_" * 6 + "Zz-9"

pytestmark = pytest.mark.docker


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    pytest.fail(f"nothing listens on port {port}")


@pytest.fixture(scope="module")
def engine() -> Iterator[dict[str, str]]:
    """The environment in which `docker` talks to a daemon of our own."""
    missing = subprocess.run(["bash", ENGINE, "missing"], capture_output=True, text=True, check=False)
    if missing.returncode != 0:
        lacking(f"no Docker engine can be had: {missing.stdout.strip()}")
    for tool, package in (("docker-registry", "docker-registry"), ("htpasswd", "apache2-utils")):
        if not shutil.which(tool):
            lacking(f"{tool} is not installed (package {package})")
    holder = subprocess.Popen(
        ["bash", ENGINE, "hold", "--bridge", "none", "--iptables=false"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    assert holder.stderr is not None
    address = holder.stdout.readline().strip()
    if not address:
        lacking(f"the Docker engine did not start: {holder.stderr.read()[-500:]}")
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("DOCKER_", "NGC_")) and "proxy" not in k.lower()
    }
    yield {**environment, "DOCKER_HOST": address}
    holder.stdin.close()
    holder.wait(timeout=60)


@pytest.fixture(scope="module")
def registries(engine: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Two registries over the same images: `private` wants NVIDIA's user name and KEY, `open` wants nothing."""
    folder = tmp_path_factory.mktemp("registry")
    made = subprocess.run(["htpasswd", "-inB", "$oauthtoken"], input=KEY, capture_output=True, text=True, check=True)
    (folder / "htpasswd").write_text(made.stdout, encoding="utf-8")
    ports = {"private": free_port(), "open": free_port()}
    running = []
    for name, port in ports.items():
        config: dict[str, Any] = {
            "version": 0.1,
            "storage": {"filesystem": {"rootdirectory": str(folder / "images")}},
            "http": {"addr": f"127.0.0.1:{port}"},
        }
        if name == "private":
            config["auth"] = {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}}
        file = folder / f"{name}.yml"
        file.write_text(json.dumps(config), encoding="utf-8")
        with (folder / f"{name}.log").open("wb") as log:
            running.append(subprocess.Popen(["docker-registry", "serve", str(file)], stdout=log, stderr=log))
        wait_for(port)
    with (folder / "empty.tar").open("wb") as tar:
        tar.write(bytes(10240))
    # A list of images for several machines, as NVIDIA's is.
    reference = f"127.0.0.1:{ports['open']}/{IMAGE}"
    for words in (
        ["import", str(folder / "empty.tar"), f"{reference}-amd64"],
        ["push", f"{reference}-amd64"],
        ["manifest", "create", "--insecure", reference, f"{reference}-amd64"],
        ["manifest", "push", "--insecure", reference],
    ):
        done = subprocess.run(
            ["docker", *words],
            env={**engine, "DOCKER_CONFIG": str(folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    yield {name: f"127.0.0.1:{port}" for name, port in ports.items()}
    for process in running:
        process.terminate()
        process.wait(timeout=10)


class Home:
    """A user's home for one test: Docker's configuration, temporary folder, working folder."""

    def __init__(self, folder: Path, engine: dict[str, str]) -> None:
        self.folder = folder
        self.config = folder / ".docker" / "config.json"
        (folder / "tmp").mkdir()
        self.environment = {**engine, "HOME": str(folder), "TMPDIR": str(folder / "tmp")}

    def run(self, *words: str, key: str | None = None, stdin: str = "", **environment: str) -> Result:
        extra = {**environment, **({} if key is None else {"NGC_API_KEY": key})}
        watch = Watch()
        with watch:
            done = subprocess.run(
                ["bash", SCRIPT, *words],
                env={**self.environment, **extra},
                cwd=self.folder,
                input=stdin,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        return Result(done.returncode, done.stdout + done.stderr, watch)

    def files_with(self, text: str) -> list[str]:
        needle = text.encode()
        return [
            str(f.relative_to(self.folder)) for f in self.folder.rglob("*") if f.is_file() and needle in f.read_bytes()
        ]


class Result:
    def __init__(self, status: int, output: str, watch: Watch) -> None:
        self.status, self.output, self.watch = status, output, watch


class Watch(threading.Thread):
    """Samples the arguments and the environment of every process while the script runs."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.arguments: set[str] = set()
        self.environments: set[tuple[str, str]] = set()  # of programs the script started, not of its own subshells
        self.done = threading.Event()

    def run(self) -> None:
        while not self.done.is_set():
            for process in Path("/proc").iterdir():
                if not process.name.isdigit():
                    continue
                try:
                    words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                    if not words or (words in self.arguments and SCRIPT in words):
                        continue
                    self.arguments.add(words)
                    if SCRIPT not in words and process.name != str(os.getpid()):
                        environment = (process / "environ").read_bytes().decode("utf-8", "replace")
                        self.environments.add((words, environment))
                except OSError:
                    continue  # it ended while it was read
            time.sleep(0.005)

    def __enter__(self) -> Watch:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.join()


@pytest.fixture
def home(tmp_path: Path, engine: dict[str, str]) -> Home:
    return Home(tmp_path, engine)


class Slow:
    """Forwards to a port, each connection after a delay in seconds."""

    def __init__(self, port: int, delay: float) -> None:
        self.target, self.delay = port, delay
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return  # closed by the test
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        time.sleep(self.delay)
        with client, socket.create_connection(("127.0.0.1", self.target)) as server:
            while True:
                for ready in select.select([client, server], [], [])[0]:
                    try:
                        data = ready.recv(65536)
                        (server if ready is client else client).sendall(data)
                    except OSError:
                        return  # one side hung up
                    if not data:
                        return


def port_of(address: str) -> int:
    return int(address.rsplit(":", 1)[1])


def test_anonymous_allowed_needs_no_key(home: Home, registries: dict[str, str]) -> None:
    result = home.run("--registry", registries["open"])
    assert (result.status, home.config.exists()) == (0, False), result.output
    assert "without a login" in result.output


def test_right_key_then_check_then_logout(home: Home, registries: dict[str, str]) -> None:
    private = registries["private"]
    reference = f"{private}/{IMAGE}"
    pull = ["docker", "pull", reference]
    assert subprocess.run(pull, env=home.environment, capture_output=True, check=False).returncode != 0
    assert home.run("--registry", private, "--check").status == 9

    result = home.run("--registry", private, key=KEY)
    assert result.status == 0, result.output
    assert str(home.config) in result.output
    assert "NOT encrypted" in result.output
    assert home.config.stat().st_mode & 0o077 == 0
    assert subprocess.run(pull, env=home.environment, capture_output=True, check=False).returncode == 0
    assert home.run("--registry", private, "--check").status == 0
    assert home.run("--registry", private).status == 0  # nothing to ask for

    assert home.run("--registry", private, "--logout").status == 0
    assert home.run("--registry", private, "--check").status == 9
    assert home.files_with(base64.b64encode(f"$oauthtoken:{KEY}".encode()).decode()) == []


def test_wrong_key_is_refused_and_not_kept(home: Home, registries: dict[str, str]) -> None:
    result = home.run("--registry", registries["private"], key=WRONG)
    assert result.status == 5, result.output
    assert "wrong, expired or revoked" in result.output
    assert home.files_with(base64.b64encode(f"$oauthtoken:{WRONG}".encode()).decode()) == []


def test_empty_key_is_refused_before_anything_is_sent(home: Home, registries: dict[str, str]) -> None:
    (home.folder / "key").write_text("\r\n", encoding="utf-8")
    assert home.run("--registry", registries["private"], "--key-file", "key").status == 2
    assert home.run("--registry", registries["private"], "--key-file", "-").status == 2
    assert home.run("--registry", registries["private"], key="").status == 9


@pytest.mark.parametrize(
    "content",
    [
        f"{KEY}\r\n".encode(),
        b"\xef\xbb\xbf" + KEY.encode(),
        f"{KEY}\r\n".encode("utf-16"),
        f"A=1\nNGC_API_KEY={KEY}\n".encode(),
    ],
    ids=["crlf", "utf-8-bom", "utf-16", "settings-file"],
)
def test_key_files_as_other_systems_write_them(home: Home, registries: dict[str, str], content: bytes) -> None:
    (home.folder / "key").write_bytes(content)
    result = home.run("--registry", registries["private"], "--key-file", "key")
    assert result.status == 0, result.output


def test_registry_down_slow_and_too_slow(home: Home, registries: dict[str, str]) -> None:
    assert home.run("--registry", f"127.0.0.1:{free_port()}").status == 6
    slow = Slow(port_of(registries["private"]), 0.4)
    assert home.run("--registry", slow.address, key=KEY).status == 0
    too_slow = Slow(port_of(registries["private"]), 30.0)
    started = time.monotonic()
    result = home.run("--registry", too_slow.address, "--timeout", "2", key=KEY)
    assert result.status == 6, result.output
    assert time.monotonic() - started < 15
    slow.listener.close()
    too_slow.listener.close()


def test_no_such_host_and_a_dead_proxy_are_told_apart(home: Home) -> None:
    assert home.run("--registry", "registry.invalid").status == 6
    assert home.run("--registry", "registry.invalid", HTTPS_PROXY="http://127.0.0.1:9").status == 7


def test_missing_image_after_a_good_login(home: Home, registries: dict[str, str]) -> None:
    result = home.run("--registry", registries["private"], "--image", "nvidia/none:1", key=KEY)
    assert result.status == 8, result.output


def test_daemon_off_and_docker_missing(home: Home, registries: dict[str, str]) -> None:
    assert home.run("--registry", registries["private"], DOCKER_HOST="unix:///nonexistent.sock").status == 4
    tools = home.folder / "tools"
    tools.mkdir()
    for tool in ("bash", "env", "mktemp", "rm", "cat", "tr", "stty"):
        (tools / tool).symlink_to(shutil.which(tool) or "")
    assert home.run("--registry", registries["private"], PATH=str(tools)).status == 3


def test_broken_credential_helper(home: Home, registries: dict[str, str]) -> None:
    home.config.parent.mkdir()
    home.config.write_text('{"credsStore": "none-such"}', encoding="utf-8")
    assert home.run("--registry", registries["private"], key=KEY).status == 10


@pytest.mark.parametrize(
    ("way", "key", "status"),
    [("environment", KEY, 0), ("environment", WRONG, 5), ("file", KEY, 0), ("standard input", KEY, 0)],
    ids=["environment", "environment-wrong", "file", "standard-input"],
)
def test_the_key_is_nowhere_but_in_dockers_store(
    home: Home, registries: dict[str, str], way: str, key: str, status: int
) -> None:
    # Slowed down so that the sampling sees docker login many times.
    slow = Slow(port_of(registries["private"]), 0.15)
    words = ["--registry", slow.address]
    if way == "environment":
        result = home.run(*words, key=key)
    elif way == "file":
        (home.folder / "the.key").write_text(key, encoding="utf-8")
        result = home.run(*words, "--key-file", "the.key")
        (home.folder / "the.key").unlink()
    else:
        result = home.run(*words, "--key-file", "-", stdin=key)
    slow.listener.close()
    assert result.status == status, result.output
    logins = [words for words in result.watch.arguments if " login " in words and slow.address in words]
    assert logins, "the sampling missed docker login, so it proves nothing"
    encoded = base64.b64encode(f"$oauthtoken:{key}".encode()).decode()
    for secret in (key, encoded):
        assert secret not in result.output
        assert not any(secret in words for words in result.watch.arguments)
        assert not any(secret in environment for _, environment in result.watch.environments)
    assert any(" login " in words for words, _ in result.watch.environments)
    assert home.files_with(key) == []
    assert home.files_with(encoded) == ([".docker/config.json"] if status == 0 else [])
    assert list((home.folder / "tmp").iterdir()) == []


def test_typed_key_is_neither_echoed_nor_in_the_history(home: Home, registries: dict[str, str]) -> None:
    terminal, inner = pty.openpty()
    shell = subprocess.Popen(
        ["setsid", "--ctty", "bash", "--norc", "-i"],
        stdin=inner,
        stdout=inner,
        stderr=inner,
        cwd=home.folder,
        env={**home.environment, "HISTFILE": str(home.folder / "history"), "PS1": "> "},
    )
    os.close(inner)
    seen = ""

    def until(words: str) -> None:
        nonlocal seen
        deadline = time.monotonic() + 30
        while words not in seen:
            assert time.monotonic() < deadline, seen
            if select.select([terminal], [], [], 0.5)[0]:
                seen += os.read(terminal, 4096).decode("utf-8", "replace")

    os.write(terminal, f"bash {SCRIPT} --registry {registries['private']}; echo status=$?\n".encode())
    until("not shown while you type")
    assert not termios.tcgetattr(terminal)[3] & termios.ECHO, "the terminal echoes before it asks"
    os.write(terminal, f"{KEY}\n".encode())
    until("status=0")
    os.write(terminal, b"stty -a >modes; exit\n")
    shell.wait(timeout=20)
    os.close(terminal)
    assert re.search(r" echo ", (home.folder / "modes").read_text()), "the terminal was left without echo"
    assert KEY not in seen
    history = (home.folder / "history").read_text(encoding="utf-8")
    assert SCRIPT in history
    assert KEY not in history


# ---- a registry that hands out tokens, as NVIDIA's does --------------------------------------------------------------


class TokenRegistry(http.server.BaseHTTPRequestHandler):
    """401 with a bearer realm; the token wants the key, the manifest perhaps more than that."""

    protocol_version = "HTTP/1.1"
    manifest, upstream = 200, ""

    def handle_one_request(self) -> None:
        if self.rfile.peek(1)[:1] == b"\x16":  # type: ignore[attr-defined]
            # Docker tries TLS first and goes on in plain text when it is answered in plain text.
            self.wfile.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            self.close_connection = True
            return
        super().handle_one_request()

    def send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def answer(self, content: object, status: int = 200, **headers: str) -> None:
        self.send(status, json.dumps(content).encode(), {"Content-Type": "application/json", **headers})

    def refuse(self, status: int, code: str, **headers: str) -> None:
        self.answer({"errors": [{"code": code, "message": "refused by the test"}]}, status, **headers)

    def do_GET(self) -> None:
        given = self.headers.get("Authorization", "")
        if self.path.startswith("/proxy_auth"):
            right = "Basic " + base64.b64encode(f"$oauthtoken:{KEY}".encode()).decode()
            if given == right:
                self.answer({"token": "the-token"})
            else:
                self.refuse(401, "UNAUTHORIZED")
        elif given != "Bearer the-token":
            realm = f'Bearer realm="http://{self.headers["Host"]}/proxy_auth",service="test"'
            self.refuse(
                401, "UNAUTHORIZED", **{"WWW-Authenticate": realm, "Docker-Distribution-Api-Version": "registry/2.0"}
            )
        elif self.path == "/v2/":
            self.answer({})
        elif self.manifest != 200:
            self.refuse(self.manifest, {403: "DENIED", 404: "MANIFEST_UNKNOWN"}[self.manifest])
        else:
            wanted = urllib.request.Request(f"http://{self.upstream}{self.path}")
            wanted.add_header("Accept", ", ".join(self.headers.get_all("Accept", [])))
            with urllib.request.urlopen(wanted) as answer:
                self.send(200, answer.read(), dict(answer.headers))

    def log_message(self, *_: Any) -> None:
        pass


@pytest.mark.parametrize(
    ("key", "manifest", "status"), [(KEY, 200, 0), (WRONG, 200, 5), (KEY, 403, 8), (KEY, 404, 8), (None, 200, 9)]
)
def test_a_registry_with_tokens(
    home: Home, registries: dict[str, str], key: str | None, manifest: int, status: int
) -> None:
    handler = type("Handler", (TokenRegistry,), {"manifest": manifest, "upstream": registries["open"]})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    result = home.run("--registry", f"127.0.0.1:{server.server_address[1]}", key=key)
    server.shutdown()
    server.server_close()
    assert result.status == status, result.output
