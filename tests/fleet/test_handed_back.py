"""A bundle in a job's log: it comes back as it was sent, or with a sentence; and why a run failed, from what it said."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtbench.comparison.safe_reading import PACKED
from trtbench.errors import UserError
from trtbench.fleet import on_machine
from trtbench.fleet.handed_back import handed_back, reason
from trtbench.fleet.on_machine import BEGIN, END, bundle_lines

MACHINE, CARD = "0123456789abcdef", "fedcba9876543210"
NO_BUNDLE = "its log holds no whole bundle"


def log(data: bytes, machine: str = MACHINE, card: str = CARD) -> str:
    return "\n".join(["said before", *bundle_lines(data, machine, card), ""])


@given(st.binary(max_size=20_000), st.sampled_from(["", CARD]), st.text(), st.text())
def test_a_bundle_comes_back_as_it_was_sent(data: bytes, card: str, before: str, after: str) -> None:
    sent = handed_back("\n".join([before, *bundle_lines(data, MACHINE, card), after]))
    assert sent == (MACHINE, card, data)


@given(st.text())
def test_a_log_without_a_bundle_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=NO_BUNDLE):
        handed_back(text)


@given(st.integers(0, 400))
def test_a_log_that_was_cut_off_is_refused(left: int) -> None:
    whole = log(b"x" * 200).rstrip("\n")
    with pytest.raises(UserError):
        handed_back(whole[: min(left, len(whole) - 1)])


@given(st.integers(0, 400), st.characters(codec="utf-8"))
def test_a_character_that_is_another_is_another_bundle_or_none(place: int, letter: str) -> None:
    """Never other bytes under the sum of these."""
    whole = log(b"whatever a run measured" * 5)
    changed = whole[:place] + letter + whole[place + 1 :]
    try:
        sent = handed_back(changed)
    except UserError:
        return
    assert hashlib.sha256(sent.bundle).hexdigest() in changed


def test_the_last_whole_bundle_counts() -> None:
    assert handed_back(log(b"first") + log(b"second")).bundle == b"second"
    assert handed_back(log(b"first") + log(b"second").replace(END, "")).bundle == b"first"
    assert handed_back(f"{BEGIN}\n{log(b'only')}").bundle == b"only"
    assert handed_back(log(b"only").replace("\n", "\r\n")).bundle == b"only"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (f"machine={MACHINE}", "machine=../../etc/passwd", "does not say where it comes from"),
        (f"machine={MACHINE}", f"machine={MACHINE.upper()}", "does not say where it comes from"),
        (f"machine={MACHINE}", f"machine={MACHINE}0", "does not say where it comes from"),
        (f"card={CARD}", "card=$(touch x)", "does not say where it comes from"),
        (f"card={CARD}", f"card={CARD}\nbytes=1", "does not say where it comes from"),
        ("bytes=6", "bytes=-6", "does not say where it comes from"),
        ("bytes=6", "bytes=٦", "does not say where it comes from"),
        ("bytes=6", "bytes=7", "its size or its SHA-256 is another"),
        ("bytes=6", f"bytes={PACKED + 1}", "larger than 32 MiB"),
        ("YnVu", "YnV!", "is not base64"),
        ("YnVu", "YnV", "is not base64"),
        ("YnVu", "YnVv", "its size or its SHA-256 is another"),
        (BEGIN, f"{BEGIN} ", NO_BUNDLE),
    ],
)
def test_what_is_not_as_it_was_sent_is_refused_by_one_sentence(old: str, new: str, sentence: str) -> None:
    whole = log(b"bundle")
    assert old in whole and handed_back(whole).bundle == b"bundle"
    with pytest.raises(UserError, match=sentence) as refusal:
        handed_back(whole.replace(old, new))
    assert "\n" not in str(refusal.value)


def test_a_machine_hands_back_what_is_read_and_no_more() -> None:
    assert on_machine.LARGEST == PACKED


def test_the_reason_is_the_last_of_what_was_said() -> None:
    assert reason("this and that\nerror: MODEL_NAME='x' is not there.\n\n") == "error: MODEL_NAME='x' is not there"
    of_ray = "2026-11-29 16:29:26,453\tINFO job_manager.py:581 -- Runtime env is setting up.\nRunning entrypoint for job a: cd x"
    assert reason("") == reason(of_ray) == ""
    assert reason(f"{of_ray}\nerror: no card") == "error: no card"


@given(st.text(max_size=2000))
def test_a_reason_is_printable_short_and_on_one_line(text: str) -> None:
    said = reason(text)
    assert (
        said.isprintable()
        and len(said) <= 310
        and bool(said) >= bool(text.strip() and text.isascii() and text.isprintable())
    )


def test_a_reason_is_looked_for_at_the_end_of_a_long_log() -> None:
    assert reason("a long line without an end" * 500_000 + "\nerror: the disk is full") == "error: the disk is full"
