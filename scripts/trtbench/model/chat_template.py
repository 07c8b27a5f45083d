"""Chat messages as text: by the model's own template, filled by transformers in a process of its own, under a limit."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from trtbench.errors import UserError
from trtbench.model.converted import environment
from trtbench.model.prompt_records import Chat, Prompt
from trtbench.records.files import shown

LIMIT = (
    120.0  # seconds for all chats: templates take milliseconds each, importing transformers from a slow disk takes most
)


def texts(prompts: Sequence[Prompt], folder: Path, name: str) -> tuple[list[str], str]:
    """The prompts as text, chats through the template of the model in `folder` up to where its answer begins; and the file's
    `name` with what was done. Raises UserError where the model has no template, or where that refuses a chat or doesn't end."""
    chats = [(number, prompt.messages) for number, prompt in enumerate(prompts, 1) if isinstance(prompt, Chat)]
    if not chats:
        return [prompt for prompt in prompts if isinstance(prompt, str)], name
    filled = iter(_filled(folder, chats, name))
    written = [prompt if isinstance(prompt, str) else next(filled) for prompt in prompts]
    return written, f"{name}, through the model's chat template"


def _filled(folder: Path, chats: list[tuple[int, tuple[tuple[str, str], ...]]], name: str) -> list[str]:
    try:
        done = subprocess.run(
            (sys.executable, "-m", "trtbench.model.chat_filling", str(folder.absolute())),
            input=json.dumps({"file": name, "chats": chats}),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            env=environment(),
            timeout=LIMIT,
        )
    except subprocess.TimeoutExpired:
        raise UserError(
            f"PROMPTS_FILE: the model's chat template did not end over the chats of {name} within {LIMIT:g} s; give the prompts as "
            "text (JSON lines with a field prompt)."
        ) from None
    lines = done.stdout.splitlines()
    if done.returncode != 0 or not lines:
        said = done.stderr.strip().splitlines()
        reason = shown(said[-1]) if said else f"status {done.returncode}"
        raise UserError(f"PROMPTS_FILE: the model's chat template could not be filled for {name} ({reason}).")
    answer = json.loads(lines[-1])
    if "error" in answer:
        raise UserError(answer["error"])
    return [str(text) for text in answer["texts"]]
