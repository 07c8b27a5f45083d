"""Chat messages as text: as transformers fills the model's own template, the same every day, and in one sentence otherwise."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trtbench.errors import UserError
from trtbench.model import chat_filling, chat_template
from trtbench.model.prompt_records import Chat
from trtbench.model.workload import build
from trtbench.records.trial import Sampling

pytestmark = pytest.mark.ngc
CHAT = Chat(
    (("user", "How was the weather in April?"), ("assistant", "Wet."), ("user", "And in May, was it any better?"))
)
LLAMA = (
    "{{ bos_token }}{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must take turns') }}{% endif %}\n"
    "  {% if m.role == 'user' %}[INST] {{ m.content | trim }} [/INST]{% else %} {{ m.content }}{{ eos_token }}{% endif %}\n"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
DATED = "\n" + LLAMA.replace(
    "{{ bos_token }}", "{{ bos_token }}Today: {{ strftime_now('%d %b %Y, %-d/%-m, %A %H:%M') }}\n  "
)


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model without a template."""
    shutil.copytree(tiny_model, tmp_path / "tiny")
    change(tmp_path / "tiny", chat_template=None)
    return tmp_path / "tiny"


def change(model: Path, **fields: Any) -> None:
    file = model / "tokenizer_config.json"
    config = {**json.loads(file.read_text()), **fields}
    file.write_text(json.dumps({name: value for name, value in config.items() if value is not None}))


def of_transformers(model: Path, chat: Chat, template: str | None = None) -> str:
    from transformers import PreTrainedTokenizerFast

    messages = [{"role": role, "content": content} for role, content in chat.messages]
    tokenizer = PreTrainedTokenizerFast.from_pretrained(str(model))
    return str(
        tokenizer.apply_chat_template(messages, chat_template=template, tokenize=False, add_generation_prompt=True)
    )


def filled(model: Path, *chats: Chat) -> list[str]:
    """As the process does it, but in this one: it takes seconds to start. The first chat is the file's second prompt."""
    return chat_filling.filled(model, [(number, chat.messages) for number, chat in enumerate(chats, 2)], "my.json")


def in_config(model: Path, template: str) -> None:
    change(model, chat_template=template)


def in_a_list(model: Path, template: str) -> None:
    change(model, chat_template=[{"name": "tool_use", "template": "x"}, {"name": "default", "template": template}])


def in_jinja(model: Path, template: str) -> None:
    (model / "chat_template.jinja").write_text(template)


def of_a_processor(model: Path, template: str) -> None:
    (model / "chat_template.json").write_text(json.dumps({"chat_template": template}))


@pytest.mark.parametrize("put", [in_config, in_a_list, in_jinja, of_a_processor])
def test_a_chat_is_filled_as_transformers_does_wherever_the_template_is(put: Any, model: Path) -> None:
    put(model, LLAMA)
    (text,) = filled(model, CHAT)
    assert text == of_transformers(model, CHAT, LLAMA)
    assert text.startswith("<s>") and text.endswith("<|assistant|>") and text.count("[INST]") == 2


def test_the_synthetic_models_have_a_template_and_texts_stay_where_they_are(tiny_model: Path) -> None:
    other = Chat((("user", "Gr\u00fc\u00df\u2028 \U0001f642"),))
    texts, name = chat_template.texts([CHAT, "as it is", other], tiny_model, "my.json")
    assert texts == [of_transformers(tiny_model, CHAT), "as it is", of_transformers(tiny_model, other)]
    assert name == "my.json, through the model's chat template"


def test_prompts_without_a_chat_need_no_template(model: Path) -> None:
    assert chat_template.texts(["a", "b"], model, "my.txt") == (["a", "b"], "my.txt")


def test_a_template_that_writes_the_date_writes_the_same_one_every_day(model: Path) -> None:
    change(model, chat_template=DATED)
    clock = chat_filling.TODAY.strftime("%d %b %Y, %-d/%-m, %A %H:%M")
    wanted = of_transformers(model, CHAT, DATED.replace("{{ strftime_now('%d %b %Y, %-d/%-m, %A %H:%M') }}", clock))
    assert filled(model, CHAT) == [wanted]
    assert clock == "26 Jul 2024, 26/7, Friday 00:00"


def test_one_beginning_of_sequence_id_stands_before_a_chat(model: Path) -> None:
    change(model, chat_template=LLAMA)
    texts, name = chat_template.texts([CHAT, CHAT], model, "my.json")
    work = build(texts, model, [], Sampling(), name)
    from tokenizers import Tokenizer

    whole = Tokenizer.from_file(str(model / "tokenizer.json")).encode(texts[0], add_special_tokens=False).ids
    assert whole[0] == 1 == work.bos and whole.count(1) == 1
    assert work.sequence(0, len(whole)) == work.sequence(1, len(whole)) == whole
    assert 1 not in work.ring
    assert work.prompts_name == "my.json, through the model's chat template"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (None, "my.json holds chat messages, and the model in .*tiny has no chat template; name a model that has one"),
        ("{% for m in messages %}", r"does not take prompt 2 of my\.json \(TemplateSyntaxError"),
        (
            "{{ raise_exception('System role not supported') }}",
            r"prompt 2 of my\.json \(TemplateError: System role not supported",
        ),
        ("{{ messages[9].content }}", r"prompt 2 of my\.json \(UndefinedError"),
        ("{{ messages[0].content + 1 }}", r"prompt 2 of my\.json \(TypeError"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", r"prompt 2 of my\.json \(SecurityError"),
        ([{"name": "rag", "template": "x"}], "several chat templates, and none of them is called default"),
    ],
)
def test_a_template_that_is_not_there_or_does_not_take_a_chat(template: Any, said: str, model: Path) -> None:
    change(model, chat_template=template)
    with pytest.raises(UserError, match=said) as refused:
        filled(model, CHAT)
    assert "\n" not in str(refused.value)


def test_no_code_of_the_model_is_run_for_its_template(model: Path) -> None:
    change(model, chat_template=LLAMA, tokenizer_class="Evil", auto_map={"AutoTokenizer": ["evil.Evil", "evil.Evil"]})
    (model / "evil.py").write_text(f"open({str(model / 'ran')!r}, 'w')\nclass Evil: pass\n")
    assert filled(model, CHAT)[0].startswith("<s>")
    assert not (model / "ran").exists()


LOOPS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"


def test_a_template_that_does_not_end_is_ended(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change(model, chat_template=LOOPS)
    monkeypatch.setattr(chat_template, "LIMIT", 5.0)
    with pytest.raises(
        UserError, match=r"template did not end over the chats of my\.json within 5 s; give the prompts as text"
    ):
        chat_template.texts([CHAT], model, "my.json")


def test_a_template_that_fills_the_memory_is_refused(model: Path) -> None:
    change(model, chat_template="{{ 'a' * 10 ** 10 }}")  # more than the process may have
    with pytest.raises(UserError, match=r"does not take prompt 2 of my\.json \(MemoryError"):
        chat_template.texts(["text", CHAT], model, "my.json")


def test_a_template_that_writes_too_much_is_refused(model: Path) -> None:
    change(model, chat_template="{{ 'a' * 2 ** 25 }}")
    with pytest.raises(UserError, match=r"makes 33,554,432 letters of prompt 2 of my\.json"):
        filled(model, CHAT)


def test_a_process_that_says_nothing_is_told_in_a_sentence(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_template.sys, "executable", shutil.which("false"))
    with pytest.raises(UserError, match=r"could not be filled for my\.json \(status 1\)\.$"):
        chat_template.texts([CHAT], model, "my.json")


def test_a_tokenizer_that_transformers_5_wrote(model: Path) -> None:
    change(
        model,
        chat_template="{{ bos_token }}{{ image_token }}{{ messages[0].content }}",
        extra_special_tokens=["<x>", "<y>"],
        model_specific_special_tokens={"image_token": "<image>"},
        tokenizer_class="TokenizersBackend",
    )
    assert filled(model, CHAT) == ["<s><image>How was the weather in April?"]
    change(model, model_specific_special_tokens=None)
    assert filled(model, CHAT) == ["<s>How was the weather in April?"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(content=st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_what_is_asked_stands_in_the_text_as_it_is(content: str, tiny_model: Path) -> None:
    assert filled(tiny_model, Chat((("user", content),))) == [f"<|user|>\n{content}</s>\n<|assistant|>\n"]
