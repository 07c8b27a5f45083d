"""Progress: one live line on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import io

import pytest

from trtbench.measure.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def go_through(progress: Progress) -> None:
    progress.note("model demo")
    progress.trial(1, 4, "fast", ["fast", "slow", "fast", "slow"])
    progress.phase("load")
    progress.finished("fast", 10.0)
    progress.trial(2, 4, "slow", ["slow", "fast", "slow"])
    progress.finished("slow", 50.0)
    progress.trial(3, 4, "slow", ["slow", "fast"])
    progress.done()


def test_plain_lines_when_it_is_no_terminal() -> None:
    stream = io.StringIO()
    go_through(Progress(stream=stream))
    assert stream.getvalue().splitlines() == [
        "model demo",
        "trial 1 of 4  fast",
        "trial 2 of 4  slow",
        "trial 3 of 4  slow  about 01:00 left",
    ]


def test_one_live_line_on_a_terminal() -> None:
    stream = Terminal()
    go_through(Progress(stream=stream))
    text = stream.getvalue()
    assert "\r\x1b[Ktrial 1 of 4  fast  load" in text
    assert text.count("\n") == 1  # the note only
    assert text.endswith("\r\x1b[K")


def test_a_live_line_is_cut_to_the_terminals_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    stream = Terminal()
    progress = Progress(stream=stream)
    progress.trial(1, 400, "a-lane-with-a-long-name", [])
    progress.phase("whole generation")
    assert len(stream.getvalue().rpartition("\x1b[K")[2]) <= 19


def test_quiet_says_nothing() -> None:
    stream = Terminal()
    go_through(Progress(quiet=True, stream=stream))
    assert stream.getvalue() == ""


def test_the_time_left_is_of_what_is_still_to_come() -> None:
    progress = Progress(quiet=True)
    assert progress.expected(["a"]) is None
    progress.finished("a", 10.0)
    progress.finished("a", 20.0)
    assert progress.expected(["a", "a"]) == 30.0
    assert progress.expected(["a", "b"]) is None
    assert progress.expected([]) == 0
    progress.finished("b", 4000.0)
    assert progress.left(["a", "b"]) == "about 01:06:55 left"


def test_an_open_end_has_neither_total_nor_time_left() -> None:
    stream = io.StringIO()
    Progress(stream=stream).trial(7, None, "fast", [])
    assert stream.getvalue() == "trial 7  fast\n"
