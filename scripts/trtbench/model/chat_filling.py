"""Fill the chat template of the model in FOLDER with the chats of a file.

    python -m trtbench.model.chat_filling FOLDER

Standard input is `{"file": NAME, "chats": [[NUMBER, [[ROLE, CONTENT], …]], …]}`; the last line of standard output is
`{"texts": […]}`, or `{"error": "…"}` with the sentence for the user.

A process of its own, because a template is a program of the model's makers: it may loop for days or fill the memory.
"""

from __future__ import annotations

import datetime
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trtbench.errors import UserError, in_one_line
from trtbench.model.pickle_conversion import bound

Messages = Sequence[Sequence[str]]  # (role, content) each
MOST = 2**24  # letters of a text
# Templates that write today's date would give other ids each day, and no run could be taken up again: their clock stands.
TODAY = datetime.datetime(2024, 7, 26)
CLOCK = "strftime_now"


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
        return transformers.PreTrainedTokenizerFast.from_pretrained(
            str(folder), local_files_only=True, **_named_tokens(folder)
        )
    except Exception as error:
        raise UserError(f"{folder}: transformers cannot load its tokenizer ({in_one_line(error)}).") from None
    finally:
        transformers.logging.set_verbosity(verbosity)


def _named_tokens(folder: Path) -> dict[str, Any]:
    """What transformers 4 needs where transformers 5 wrote the tokenizer: there, `extra_special_tokens` is a list, of which a
    template sees nothing, and those with names that it may write stand elsewhere."""
    try:
        config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(config, dict) or not isinstance(config.get("extra_special_tokens"), list):
        return {}
    named = config.get("model_specific_special_tokens")
    return {"extra_special_tokens": named if isinstance(named, dict) else {}}


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


def _filled(tokenizer: Any, template: str, chat: Messages, what: str) -> str:
    messages = [{"role": role, "content": content} for role, content in chat]
    try:
        text = tokenizer.apply_chat_template(
            messages, chat_template=template, tokenize=False, add_generation_prompt=True
        )
    except Exception as error:  # the template is a program of the model's makers: it refuses in its own words
        raise UserError(
            f"PROMPTS_FILE: the model's chat template does not take {what} ({in_one_line(error)})."
        ) from None
    if len(text) > MOST:
        raise UserError(f"PROMPTS_FILE: the model's chat template makes {len(text):,} letters of {what}.")
    return str(text)


def filled(folder: Path, chats: Sequence[tuple[int, Messages]], file: str) -> list[str]:
    """The chats, each with its number in the file, as text. Raises UserError where the model has no template, or where that
    refuses a chat."""
    tokenizer = _tokenizer(folder)
    template = _template(tokenizer, folder)
    if template is None:
        raise UserError(
            f"PROMPTS_FILE: {file} holds chat messages, and the model in {folder} has no chat template; name a model that has "
            "one (…-Instruct, …-Chat), or give the prompts as text (JSON lines with a field prompt)."
        )
    return [_filled(tokenizer, template, chat, f"prompt {number} of {file}") for number, chat in chats]


def main(folder: Path) -> None:
    bound(0)
    asked = json.load(sys.stdin)
    try:
        answer: dict[str, object] = {"texts": filled(folder, asked["chats"], asked["file"])}
    except UserError as error:
        answer = {"error": str(error)}
    print(json.dumps(answer))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
