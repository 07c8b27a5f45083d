"""Chat messages as the text that the model was trained to answer: by its own template, filled by transformers."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trtbench.errors import UserError, in_one_line
from trtbench.model.prompt_records import Chat, Prompt

# Templates that write today's date would give other ids each day, and no run could be taken up again: their clock stands.
TODAY = datetime.datetime(2024, 7, 26)
CLOCK = "strftime_now"


def texts(prompts: Sequence[Prompt], folder: Path, name: str) -> tuple[list[str], str]:
    """The prompts as text, chats through the template of the model in `folder` up to where its answer begins; and the file's
    `name` with what was done. Raises UserError where the model has no template, or where that refuses a chat."""
    if not any(isinstance(prompt, Chat) for prompt in prompts):
        return [prompt for prompt in prompts if isinstance(prompt, str)], name
    tokenizer = _tokenizer(folder)
    template = _template(tokenizer, folder)
    if template is None:
        raise UserError(
            f"PROMPTS_FILE: {name} holds chat messages, and the model in {folder} has no chat template; name a model that has "
            "one (…-Instruct, …-Chat), or give the prompts as text (JSON lines with a field prompt)."
        )
    written = [
        prompt if isinstance(prompt, str) else _filled(tokenizer, template, prompt, f"prompt {number} of {name}")
        for number, prompt in enumerate(prompts, 1)
    ]
    return written, f"{name}, through the model's chat template"


def _tokenizer(folder: Path) -> Any:
    """The tokenizer of tokenizer.json with its special tokens and template, which is data: no class of the model's is loaded."""
    try:
        import transformers
    except ImportError:
        raise UserError(
            "PROMPTS_FILE holds chat messages, and their template needs transformers; install it."
        ) from None
    verbosity = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    try:
        return transformers.PreTrainedTokenizerFast.from_pretrained(str(folder), local_files_only=True)
    except Exception as error:
        raise UserError(f"{folder}: transformers cannot load its tokenizer ({in_one_line(error)}).") from None
    finally:
        transformers.logging.set_verbosity(verbosity)


def _template(tokenizer: Any, folder: Path) -> str | None:
    """The model's template: its tokenizer's, or that of chat_template.json, where a processor keeps it."""
    if tokenizer.chat_template:
        try:
            template = tokenizer.get_chat_template()
        except ValueError:
            raise UserError(f"{folder} has several chat templates, and none of them is called default.") from None
    else:
        try:
            content = json.loads((folder / "chat_template.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        template = content.get("chat_template") if isinstance(content, dict) else None
    return _with_still_clock(template) if isinstance(template, str) else None


def _with_still_clock(template: str) -> str:
    """The template with the function for today's date, where it calls it, replaced by one whose day is TODAY."""
    if CLOCK not in template:
        return template
    written = "".join(f"|replace('%{letter}','{TODAY.strftime('%' + letter)}')" for letter in "aAbBdHIjmMpSwyY")
    days = "".join(f"|replace('%-{letter}','{int(TODAY.strftime('%' + letter))}')" for letter in "dHImMSj")
    # The line's end is dropped by transformers' trim_blocks, so that the template begins at the beginning of a line.
    return f"{{%- macro {CLOCK}(format) -%}}{{{{ format{days}{written} }}}}{{%- endmacro %}}\n{template}"


def _filled(tokenizer: Any, template: str, chat: Chat, what: str) -> str:
    messages = [{"role": role, "content": content} for role, content in chat.messages]
    try:
        text = tokenizer.apply_chat_template(
            messages, chat_template=template, tokenize=False, add_generation_prompt=True
        )
    except Exception as error:  # the template is a program of the model's makers: it refuses in its own words
        raise UserError(
            f"PROMPTS_FILE: the model's chat template does not take {what} ({in_one_line(error)})."
        ) from None
    return str(text)
