"""What lies in place of a file: a pointer of Git LFS, a web page, nothing at all.

Standard library only and Python 3.8 syntax, because the doctor looks too, with the host's own Python.
"""

from __future__ import annotations

from pathlib import Path

from trtbench.errors import UserError

POINTER = b"version https://git-lfs.github.com/spec/"
PAGES = (b"<!doctype", b"<html", b"<head", b"<body", b"<?xml")
HEAD = 1024  # bytes that tell


def refuse_placeholder(file: Path) -> None:
    """Raise UserError where something else lies in place of `file`, with what it looks like and what to do."""
    try:
        with file.open("rb") as stream:
            head = stream.read(HEAD)
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror or error}.") from None
    looks = told(head)
    if looks:
        raise UserError(f"{file} {looks}.")


def told(head: bytes) -> str | None:
    """What a file that begins with `head` is in place of another, and what to do; None where it may be that other."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(POINTER):
        return (
            "is a pointer of Git LFS in place of the file itself: run `git lfs install` and `git lfs pull` in the folder that "
            "was cloned, or download the file again"
        )
    if text.startswith(PAGES):
        return (
            "is a web page in place of the file: a login or a proxy answered when it was downloaded; download it again, past "
            "them"
        )
    if not text and len(head) < HEAD:
        return "is empty; fetch it again"
    return None
