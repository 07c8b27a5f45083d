"""Colours of the text report."""

from __future__ import annotations

import io
import re

import pytest

import reports
from trtbench.report import colour, text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environment", "expected"),
    [
        (Terminal(), {"TERM": "xterm"}, True),
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"NO_COLOR": ""}, True),  # as no-color.org has it: present and not empty
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {"TERM": "xterm"}, False),
    ],
)
def test_only_a_terminal_that_wants_them_gets_colours(
    stream: io.StringIO, environment: dict[str, str], expected: bool
) -> None:
    assert colour.wanted(stream, environment) is expected


@pytest.mark.parametrize("kind", ["honest", "audited", "refused", "simulated", "hostile"])
@pytest.mark.parametrize("lang", ["en", "fr"])
def test_colours_change_no_word(kind: str, lang: str) -> None:
    plain = text.render(getattr(reports, kind)(), lang)
    painted = colour.paint(plain, lang)
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == plain
    assert painted != plain
    assert "\x1b" not in plain  # also where a name held an escape sequence
    for line in painted.split("\n"):
        assert line.count("\x1b[") % 2 == 0  # what is opened is closed on the same line


def test_notices_failures_and_void_stand_out() -> None:
    painted = colour.paint(text.render(reports.refused(), "en"), "en")
    assert f"{colour.YELLOW}! DEMONSTRATION" in painted
    assert f"{colour.RED}FAIL {colour.OFF}provenance.changed" in painted
    assert f"{colour.RED}VOID{colour.OFF}" in painted


def test_hostile_text_keeps_the_width() -> None:
    lines = text.render(reports.hostile(), "en").splitlines()
    assert max(map(len, lines)) <= 120  # a name that can't be broken may stand out, an endless one may not
    assert len(lines) < 300
