"""One live line on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO


class Progress:
    """Where the run stands: trial k of n, lane, phase, time left. It draws only when told something new, so that
    the parent sleeps while a child measures."""

    def __init__(self, quiet: bool = False, stream: TextIO | None = None) -> None:
        self.stream = stream if stream is not None else sys.stderr
        self.quiet = quiet
        self.live = not quiet and self.stream.isatty()
        self._seconds: dict[str, list[float]] = {}
        self._head = ""
        self._left = ""

    def note(self, text: str) -> None:
        """Say something that stays on the screen."""
        if not self.quiet:
            self._clear()
            print(text, file=self.stream, flush=True)

    def trial(self, number: int, total: int | None, entrant: str, ahead: list[str]) -> None:
        """A trial begins; `total` is None while it is open; `ahead` are the entrants still to come, this one included,
        and empty while that is open."""
        self._head = f"trial {number}" + (f" of {total}" if total else "") + f"  {entrant}"
        self._left = self.left(ahead) if ahead else ""
        if not self.live and not self.quiet:
            print(self._head + (f"  {self._left}" if self._left else ""), file=self.stream, flush=True)

    def preparing(self, entrant: str) -> None:
        """Conversion, build or compilation of a lane begins."""
        self._head, self._left = f"preparing {entrant}", ""
        self.phase("")

    def phase(self, name: str) -> None:
        """The trial has come to another phase."""
        if self.live:
            line = f"{self._head}  {name}" + (f"  {self._left}" if self._left else "")
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\x1b[K{line[:width]}", end="", file=self.stream, flush=True)

    def finished(self, entrant: str, seconds: float) -> None:
        """Remember how long a trial took, for the time left."""
        self._seconds.setdefault(entrant, []).append(seconds)

    def expected(self, entrants: list[str]) -> float | None:
        """Seconds that trials of these entrants will take, from those that are finished; None while one is unknown."""
        if any(entrant not in self._seconds for entrant in entrants):
            return None
        return sum(sum(self._seconds[e]) / len(self._seconds[e]) for e in entrants)

    def left(self, ahead: list[str]) -> str:
        """The time left in words; empty while it cannot be known."""
        seconds = self.expected(ahead)
        if seconds is None:
            return ""
        return (
            "about " + time.strftime("%H:%M:%S" if seconds >= 3600 else "%M:%S", time.gmtime(round(seconds))) + " left"
        )

    def done(self) -> None:
        """Take the live line away."""
        self._clear()

    def _clear(self) -> None:
        if self.live:
            print("\r\x1b[K", end="", file=self.stream, flush=True)
