"""The key at a terminal: setup_nvidia_auth.sh on a pseudo-terminal, with a stand-in for docker that takes its time.

Whenever the key is pasted, the terminal never shows it, the shell that comes back never gets it, and echo is on again.
"""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = str(ROOT / "setup_nvidia_auth.sh")
KEY = "nvapi-" + "Typed0Key_" * 6 + "Zz-9"
PROMPT = "NGC key (not shown while you type or paste): "

# `manifest` waits for the file `go`: the time in which a key is pasted too early.
DOCKER = """#!/usr/bin/env bash
case $1 in
  manifest)
    touch "$BOX/asked"
    until [ -e "$BOX/go" ]; do sleep 0.05; done
    [ ! -e "$BOX/open" ] || exit 0
    [ -e "$BOX/received" ] || { echo 'unauthorized: authentication required'; exit 1; } ;;
  login) cat >"$BOX/received" ;;
esac
"""


class Terminal:
    """The script on a pseudo-terminal of its own, in a session of its own."""

    def __init__(self, box: Path, *words: str, **environment: str) -> None:
        self.box = box
        (box / "bin").mkdir()
        (box / "bin" / "docker").write_text(DOCKER)
        (box / "bin" / "docker").chmod(0o755)
        self.outer, self.inner = pty.openpty()
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("NGC_", "DOCKER_"))}
        self.process = subprocess.Popen(
            ["setsid", "--ctty", "bash", SCRIPT, *words],
            stdin=self.inner,
            stdout=self.inner,
            stderr=self.inner,
            env={
                **clean,
                "BOX": str(box),
                "DOCKER_CONFIG": str(box),
                "TMPDIR": str(box),
                "PATH": f"{box / 'bin'}:{clean['PATH']}",
                **environment,
            },
        )
        self.modes = termios.tcgetattr(self.inner)
        self.seen = ""

    def read(self, seconds: float) -> None:
        if select.select([self.outer], [], [], seconds)[0]:
            self.seen += os.read(self.outer, 65536).decode("utf-8", "replace")

    def until(self, words: str) -> None:
        deadline = time.monotonic() + 30
        while words not in self.seen:
            assert time.monotonic() < deadline, self.seen
            self.read(0.1)

    def until_asked(self) -> None:
        """Until docker is asking the registry, long before the question."""
        deadline = time.monotonic() + 30
        while not (self.box / "asked").exists():
            assert time.monotonic() < deadline, self.seen
            self.read(0.02)

    def type(self, words: str) -> None:
        os.write(self.outer, words.encode())
        self.read(0.2)

    def go(self) -> None:
        (self.box / "go").touch()

    def end(self) -> int:
        """The exit status, when all is read; with the modes as they were, and nothing left for the shell to read."""
        deadline = time.monotonic() + 30
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.seen
            self.read(0.1)
        self.read(0.3)
        assert termios.tcgetattr(self.inner) == self.modes
        assert self.modes[3] & termios.ECHO and self.modes[3] & termios.ICANON
        attributes = [*self.modes]
        attributes[3] &= ~termios.ICANON
        termios.tcsetattr(self.inner, termios.TCSANOW, attributes)
        assert not select.select([self.inner], [], [], 0)[0], "the shell would get what is left"
        return self.process.returncode

    def received(self) -> str:
        return (self.box / "received").read_text() if (self.box / "received").exists() else ""

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.outer)
        os.close(self.inner)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    one = Terminal(tmp_path)
    yield one
    one.close()


@pytest.mark.parametrize("early", [KEY, f"{KEY}\n", f"{KEY}\n{KEY}", KEY[:30]], ids=["half", "line", "both", "part"])
def test_a_key_pasted_too_early_is_dropped_unseen(terminal: Terminal, early: str) -> None:
    terminal.until_asked()
    terminal.type(early)
    assert PROMPT not in terminal.seen
    terminal.go()
    terminal.until(PROMPT)
    assert terminal.received() == "", "what was typed before the question answers it"
    terminal.type(f"{KEY}\n")
    assert terminal.end() == 0, terminal.seen
    assert terminal.received() == KEY
    assert KEY[:30] not in terminal.seen


def test_a_key_typed_piece_by_piece_while_it_is_asked_for(terminal: Terminal) -> None:
    terminal.go()
    terminal.until(PROMPT)
    for start in range(0, len(KEY), 10):
        terminal.type(KEY[start : start + 10])
    terminal.type("\n")
    assert terminal.end() == 0, terminal.seen
    assert terminal.received() == KEY
    assert not [
        start for start in range(0, len(KEY) - 5, 5) if KEY[start : start + 5] in terminal.seen.replace("nvapi-", "")
    ]


def test_a_burst_with_newlines_gives_one_line_and_the_rest_to_nobody(terminal: Terminal) -> None:
    terminal.go()
    terminal.until(PROMPT)
    terminal.type(f"{KEY}\n{KEY}\nmore {KEY}")
    assert terminal.end() == 0, terminal.seen
    assert terminal.received() == KEY
    assert KEY not in terminal.seen


def test_a_key_that_was_never_asked_for_does_not_reach_the_shell(terminal: Terminal) -> None:
    terminal.until_asked()
    terminal.type(f"{KEY}\n")
    (terminal.box / "open").touch()
    terminal.go()
    assert terminal.end() == 0, terminal.seen
    assert "can be read without a login" in terminal.seen
    assert KEY not in terminal.seen


@pytest.mark.parametrize("when", ["before", "during"])
@pytest.mark.parametrize("way", ["ctrl-c", "ctrl-backslash", "term"])
def test_stopped_the_terminal_is_as_it_was(terminal: Terminal, when: str, way: str) -> None:
    terminal.until_asked()
    if when == "during":
        terminal.go()
        terminal.until(PROMPT)
    terminal.type(KEY)
    if way == "term":
        terminal.process.send_signal(signal.SIGTERM)
    else:
        terminal.type({"ctrl-c": "\x03", "ctrl-backslash": "\x1c"}[way])
    assert terminal.end() == 130, terminal.seen
    assert "Nothing was stored" in terminal.seen
    assert KEY not in terminal.seen and terminal.received() == ""


def test_end_of_input_and_a_wrong_key_leave_the_terminal_as_it_was(terminal: Terminal) -> None:
    terminal.go()
    terminal.until(PROMPT)
    terminal.type("\x04")
    assert terminal.end() == 2, terminal.seen
    assert "it is empty" in terminal.seen


@pytest.mark.parametrize("words", [("--check",), ("--logout",), ("--key-file", "key.txt")], ids=lambda words: words[0])
def test_where_no_key_is_asked_for_the_terminal_is_left_alone(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "key.txt").write_text(KEY)
    (tmp_path / "go").touch()
    terminal = Terminal(tmp_path, *[str(tmp_path / word) if word == "key.txt" else word for word in words])
    try:
        while terminal.process.poll() is None:
            assert termios.tcgetattr(terminal.inner)[3] & termios.ECHO
            terminal.read(0.01)
        terminal.end()
    finally:
        terminal.close()
