"""One record of a data file, a JSON value or a row of a table, as the prompts in it: under the names that people's tools use.

A text goes to the model as it stands. Chat messages are kept as messages, for the model's own template.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

MESSAGES = ("messages", "conversations", "conversation")
# The first that a record has is its prompt.
TEXTS = (
    "prompt",
    "text_input",
    "input_text",
    "prompt_text",
    "instruction",
    "question",
    "query",
    "problem",
    "text",
    "texts",
    "user_input",
    "input",
    "inputs",
    "content",
)
BESIDE = {"instruction": ("input", "context")}  # Alpaca's and Dolly's second half of a prompt
INSIDE = (
    "body",
    "payload",
    "payloads",
    "request",
    "row",
    "instance",
)  # records in an envelope: OpenAI batches, AIPerf, HELM
IDS = ("input_ids", "token_ids", "prompt_token_ids", "tokens", "logits")
ROLES = {
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "model": "assistant",
    "system": "system",
    "developer": "developer",
}
TEXT_PARTS = ("text", "input_text", "output_text")
SUCH = "prompt, text, question, instruction or input"
ONLY_IDS = "it holds token ids ({}), which do not say by which tokenizer they were made; give their text, under prompt"


@dataclass(frozen=True)
class Chat:
    """Messages of a conversation up to the question, as (role, content)."""

    messages: tuple[tuple[str, str], ...]


Prompt = str | Chat


class Unreadable(Exception):
    """A record is no prompt; the text says why, and what would be right."""


class Unknown(Unreadable):
    """An object has none of the fields that are known."""


class Malformed(Exception):
    """A file holds no prompts as it is; the text is what a sentence says after the file's name."""


def prompts_of(record: object) -> list[Prompt]:
    """The prompts of a record, mostly one; none where it is a conversation in which nobody asks. Raises Unreadable, and Unknown
    for an object without a field that is known."""
    try:
        return _prompts_of(record)
    except RecursionError:
        raise Unreadable("it is nested too deeply") from None


def _prompts_of(record: object) -> list[Prompt]:
    if isinstance(record, str):
        return [_text(record, "it")]
    if isinstance(record, list) and is_messages(record):
        return _chat(record, None)
    if not isinstance(record, dict):
        raise Unreadable(f"it is {_kind(record)}; a string, or an object with prompt or messages, is wanted")
    if is_messages([record]):
        raise Unreadable("it is a single message; a conversation is a list of them, under messages")
    everything = {str(name).strip().lower(): value for name, value in reversed(record.items())}
    fields = {name: value for name, value in everything.items() if value is not None}
    for name in MESSAGES:
        if name in fields:
            return _conversations(fields[name], fields.get("system", fields.get("system_prompt")))
    if isinstance(turns := fields.get("turns"), list):
        return _of_turns(turns)
    for name in TEXTS:
        if name in fields:
            return _of_field(name, fields)
    for name in INSIDE:
        if isinstance(inner := fields.get(name), dict | list):
            return [prompt for each in (inner if isinstance(inner, list) else [inner]) for prompt in _prompts_of(each)]
    for name in IDS:
        if name in fields:
            raise Unreadable(ONLY_IDS.format(name))
    for name in (*MESSAGES, *TEXTS):
        if name in everything:
            raise Unreadable(f"its {name} is null")
    names = ", ".join(sorted(str(name)[:40] for name in record)[:8])
    raise Unknown(
        f"it has no field such as {SUCH}, and none of {', '.join(MESSAGES)} and turns; it has {names or 'none at all'}"
    )


def _of_field(name: str, fields: dict[str, Any]) -> list[Prompt]:
    """The prompts in a field for text, which tools also fill with several texts, with messages or with an object around them."""
    value = fields[name]
    if isinstance(value, list):
        if is_messages(value):
            return _chat(value, fields.get("system"))
        if value and all(isinstance(each, str) for each in value):
            return [_text(each, f"its {name}") for each in value]
        if value and all(isinstance(each, dict) for each in value):
            return [prompt for each in value for prompt in _prompts_of(each)]
        if any(isinstance(each, int | list) for each in value):
            raise Unreadable(ONLY_IDS.format(name))
    if isinstance(value, dict):
        return _prompts_of(value)
    if not isinstance(value, str):
        raise Unreadable(f"its {name} is {_kind(value)}, and text is wanted")
    parts = [_text(value, f"its {name}")]
    for other in BESIDE.get(name, ()):
        if isinstance(more := fields.get(other), str) and more.strip():
            parts.append(_text(more, f"its {other}"))
    return ["\n\n".join(parts)]


def _of_turns(turns: list[Any]) -> list[Prompt]:
    """The first question: each later one is about an answer that the file does not hold."""
    if is_messages(turns):
        return _chat(turns, None)
    if not turns:
        raise Unreadable("its turns are empty")
    return _prompts_of(turns[0])


def is_messages(value: list[Any]) -> bool:
    """Whether a list is a conversation."""
    return bool(value) and all(
        isinstance(each, dict) and ("role" in each or "from" in each) and ("content" in each or "value" in each)
        for each in value
    )


def _conversations(value: object, system: object) -> list[Prompt]:
    """A conversation, or several in a list."""
    if isinstance(value, str):  # a cell of a table
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise Unreadable("its messages are no JSON list") from None
    if not isinstance(value, list):
        raise Unreadable(f"its messages are {_kind(value)}, and a list is wanted")
    if value and all(
        isinstance(each, list) or (isinstance(each, dict) and not {"role", "from"} & each.keys()) for each in value
    ):
        return [prompt for each in value for prompt in _prompts_of(each)]
    return _chat(value, system)


def _chat(value: list[Any], system: object) -> list[Prompt]:
    """The conversation up to its last question, without the answers that come before any question or after the last."""
    messages = [_message(each) for each in value]
    while messages and messages[-1][0] == "assistant":
        messages.pop()
    first = next((at for at, (role, _) in enumerate(messages) if role == "user"), None)
    if first is None or not messages[-1][1].strip():
        return []
    messages = [each for each in messages[:first] if each[0] != "assistant"] + messages[first:]
    if isinstance(system, str) and system.strip() and messages[0][0] == "user":
        messages.insert(0, ("system", _text(system, "its system message")))
    return [Chat(tuple(messages))]


def _message(message: object) -> tuple[str, str]:
    if not isinstance(message, dict):
        raise Unreadable(f"one of its messages is {_kind(message)}; an object with role and content is wanted")
    role = message.get("role", message.get("from"))
    if not isinstance(role, str) or role.lower() not in ROLES:
        raise Unreadable(f"one of its messages is from {str(role)[:40]!r}; known are {', '.join(ROLES)}")
    content = message.get("content", message.get("value"))
    if isinstance(content, list):
        content = "".join(_part(part) for part in content)
    if not isinstance(content, str):
        raise Unreadable(f"the content of one of its messages is {_kind(content)}, and text is wanted")
    _whole(content, "one of its messages")
    return ROLES[role.lower()], content


def _part(part: object) -> str:
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(part, dict) or kind not in TEXT_PARTS or not isinstance(part.get("text"), str):
        raise Unreadable(f"one of its messages holds a part of type {str(kind)[:40]!r}; only text is measured")
    return str(part["text"])


def _text(value: str, what: str) -> str:
    if not value.strip():
        raise Unreadable(f"{what} is an empty string")
    return _whole(value, what)


def _whole(value: str, what: str) -> str:
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise Unreadable(f"{what} holds half a surrogate pair, which is no text")
    return value


def _kind(value: object) -> str:
    """What JSON calls a value of this type."""
    names = {dict: "an object", str: "text", bool: "true or false", type(None): "null"}
    if isinstance(value, list):
        return "a list of numbers" if value and all(isinstance(each, int | float) for each in value) else "a list"
    return names.get(type(value), "a number")
