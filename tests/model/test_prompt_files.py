"""Files of prompts as people have them: read rightly, byte for byte, or refused with the place; never braces as prose."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trtbench.errors import UserError
from trtbench.model import prompt_files
from trtbench.model.prompt_files import PROMPTS, read_prompts
from trtbench.model.prompt_records import Chat, Prompt
from trtbench.model.prompt_tables import KNOWN

Reads = Callable[[str, str | bytes], list[Prompt]]


@pytest.fixture
def read(tmp_path: Path) -> Reads:
    return lambda name, content: read_file(tmp_path / name, content)


def read_file(file: Path, content: str | bytes) -> list[Prompt]:
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_prompts(file)


def asked(*messages: str, system: str = "") -> Chat:
    """A chat of user and assistant in turn, behind a system message."""
    turns = [("user", "assistant")[at % 2] for at in range(len(messages))]
    return Chat(((("system", system),) if system else ()) + tuple(zip(turns, messages)))


def lines(*records: object) -> str:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


# Shapes that tools read and write


def test_the_committed_prompts_are_read_as_they_stand() -> None:
    assert read_prompts(PROMPTS) == [json.loads(line)["prompt"] for line in PROMPTS.read_text("utf-8").splitlines()]


SHAREGPT = [
    {"id": "a_0", "conversations": [{"from": "human", "value": "Hi?"}, {"from": "gpt", "value": "Yes."}]},
    {"id": "a_1", "conversations": [{"from": "gpt", "value": "cut"}, {"from": "human", "value": "On"}, {"from": "gpt", "value": ""}]},
    {"id": "a_2", "conversations": [{"from": who, "value": f"{at}"} for at, who in enumerate(("human", "gpt", "human", "gpt"))]},
]  # fmt: skip
CHATS = [asked("Hi?"), asked("On"), asked("0", "1", "2")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("ShareGPT_V3.json", json.dumps(SHAREGPT)),
        ("sharegpt.json", json.dumps(SHAREGPT, indent=2)),
        ("sharegpt.jsonl", lines(*SHAREGPT)),
        ("sharegpt.NDJSON", lines(*SHAREGPT)),
        ("sharegpt.txt", lines(*SHAREGPT)),
        ("sharegpt", json.dumps(SHAREGPT)),
        ("sharegpt.json", json.dumps({"version": 3, "data": SHAREGPT})),
        ("jq.json", "\n".join(json.dumps(each, indent=1) for each in SHAREGPT)),
    ],
)
def test_sharegpt_in_whatever_file(name: str, content: str, read: Reads) -> None:
    assert read(name, content) == CHATS


USER = {"role": "user", "content": "Hi?"}
PARTS = {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "text", "text": "?"}]}
ANSWER = {"role": "assistant", "content": "Yes."}


@pytest.mark.parametrize(
    ("record", "wanted"),
    [
        ({"messages": [USER]}, [asked("Hi?")]),
        ({"messages": [PARTS, ANSWER]}, [asked("Hi?")]),
        ({"messages": [{"role": "system", "content": "Be brief."}, USER, ANSWER]}, [asked("Hi?", system="Be brief.")]),
        ({"messages": [{"role": "developer", "content": "D"}, USER]}, [Chat((("developer", "D"), ("user", "Hi?")))]),
        ([USER, ANSWER, USER], [asked("Hi?", "Yes.", "Hi?")]),
        ({"conversations": [{"role": "user", "value": "Hi?"}], "system": "Be brief."}, [asked("Hi?", system="Be brief.")]),
        ({"prompt": [USER], "chosen": [ANSWER]}, [asked("Hi?")]),  # trl
        ({"custom_id": "1", "url": "/v1/chat/completions", "body": {"model": "m", "messages": [USER]}}, [asked("Hi?")]),
        ({"custom_id": "1", "url": "/v1/completions", "body": {"model": "m", "prompt": ["a", "b"]}}, ["a", "b"]),
        ({"custom_id": "1", "url": "/v1/responses", "body": {"model": "m", "input": "a"}}, ["a"]),
        ({"payloads": [{"messages": [USER]}, {"messages": [USER, ANSWER, USER]}]}, [asked("Hi?"), asked("Hi?", "Yes.", "Hi?")]),
        ({"session_id": "s", "turns": [{"text": "a"}, {"text": "b"}]}, ["a"]),  # AIPerf
        ({"question_id": 81, "category": "writing", "turns": ["a", "b"], "reference": []}, ["a"]),  # MT-bench
        ({"task_id": 0, "prompt": "a", "output_tokens": 128}, ["a"]),  # trtllm-bench
        ({"prompt": "a", "input_ids": [1, 2]}, ["a"]),
        ({"instruction": "Sort.", "input": "3 1 2", "output": "1 2 3"}, ["Sort.\n\n3 1 2"]),  # Alpaca
        ({"instruction": "Sort.", "input": "", "output": ""}, ["Sort."]),
        ({"instruction": "Sort.", "context": "3 1 2", "response": ""}, ["Sort.\n\n3 1 2"]),  # Dolly
        ({"text_input": "a", "max_tokens": 5}, ["a"]),  # Triton, GenAI-Perf
        ({"texts": ["a", "b"]}, ["a", "b"]),
        ({"instance": {"input": {"text": "a"}}, "request": {"prompt": "few shots, a"}}, ["few shots, a"]),  # HELM
        ({"input": {"text": "a"}, "references": [], "split": "test", "id": "id1"}, ["a"]),
        ({"Question ": "a", "Answer": "b"}, ["a"]),
        ({"prompt": None, "text": "a"}, ["a"]),
        ("a", ["a"]),
    ],
)  # fmt: skip
def test_a_record_under_the_names_of_peoples_tools(record: object, wanted: list[Prompt], read: Reads) -> None:
    assert read("one.jsonl", lines(record)) == wanted
    assert read("many.jsonl", lines(record, record)) == wanted * 2
    assert read("many.json", json.dumps([record, record])) == wanted * 2
    assert (
        read("within.json", json.dumps({"name": "x", "tags": ["y", "z"][:0], "data": [record, record]})) == wanted * 2
    )


def test_of_an_objects_lists_the_one_with_prompts_is_taken(read: Reads) -> None:
    rows = {"features": [{"feature_idx": 0, "name": "q"}], "rows": [{"row_idx": 0, "row": {"question": "a"}}]}
    assert read("rows.json", json.dumps(rows)) == ["a"]
    assert read("prompts.json", '{"prompts": ["a", "b"]}') == ["a", "b"]
    assert read("columns.json", '{"prompt": ["a", "b"], "id": [1, 2]}') == ["a", "b"]
    with pytest.raises(UserError, match=r"several lists of prompts \(test, train\); keep one"):
        read("splits.json", '{"train": ["a"], "test": [{"text": "b"}]}')


@pytest.mark.parametrize("name", ["p.csv", "p.CSV", "p.tsv", "p.psv", "p.txt", "p"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_tables_with_any_delimiter(name: str, delimiter: str, read: Reads) -> None:
    rows = [["id", "Prompt", "answer"], ["1", 'Say "a,b;\tc"\r\nor\n\nd', ""], ["", "", ""], ["2", " two ", "x"]]
    assert read(name, table(rows, delimiter)) == ['Say "a,b;\tc"\r\nor\n\nd', " two "]
    assert read(name, "\ufeff" + table(rows, delimiter)) == ['Say "a,b;\tc"\r\nor\n\nd', " two "]


def table(rows: list[list[str]], delimiter: str) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue()


def test_tables_of_one_column_of_instructions_and_of_messages(read: Reads) -> None:
    assert read("p.csv", "prompt\r\nhello\r\n\r\nyou\r\n") == ["hello", "you"]
    assert read("p.csv", "instruction,input,output\nSort.,3 1 2,x\nSing.,,y\n") == ["Sort.\n\n3 1 2", "Sing."]
    assert read("p.csv", table([["id", "messages"], ["1", json.dumps([USER, ANSWER])]], ",")) == [asked("Hi?")]


# Text


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ("\ufeffone line\r\nand on\r\n\r\ntwo\n \t\nthree\n\n\n\n", ["one line and on", "two", "three"]),
        ("Combien ?\u00a0« Dix »\u202f!\n\n你好\u3000世界 \u2028 🙂", ["Combien ?\u00a0« Dix »\u202f!", "你好\u3000世界 \u2028 🙂"]),
        ("# Title\n\n- Write a poem\n- Sing\n\n| a | b |\n|---|---|\n", ["# Title", "- Write a poem - Sing", "| a | b | |---|---|"]),
        ("[Scene 1] The king enters.", ["[Scene 1] The king enters."]),
        ("[1] A footnote.\n[2] Another.", ["[1] A footnote. [2] Another."]),
        ("[12:30] anna: hello", ["[12:30] anna: hello"]),
        ("[2024-05-01, Paris] Dear Anna", ["[2024-05-01, Paris] Dear Anna"]),
        ("[[Link]] is a wiki link", ["[[Link]] is a wiki link"]),
        ('["Aside"] Who is there?', ['["Aside"] Who is there?']),
        ("['Tis the season] sing", ["['Tis the season] sing"]),
        ("{note} to self", ["{note} to self"]),
        ("{{ name }}, hello", ["{{ name }}, hello"]),
        ('{"a": 1} is JSON. Explain.', ['{"a": 1} is JSON. Explain.']),
        ('"Hello," she said.', ['"Hello," she said.']),
        ("<|user|>\nHi?\n<|assistant|>", ["<|user|> Hi? <|assistant|>"]),
        ("<s>[INST] Hi? [/INST]", ["<s>[INST] Hi? [/INST]"]),
        ("<b>Bold</b> claims need proof.", ["<b>Bold</b> claims need proof."]),
        ("Ingredients:\n- flour", ["Ingredients: - flour"]),
        ("Prompt: write a poem", ["Prompt: write a poem"]),
        ("Question\n\nHow many?", ["Question", "How many?"]),
        ("Text, input and output, in short\nare words, like others", ["Text, input and output, in short are words, like others"]),
        ("Hello, world\nGoodbye, moon", ["Hello, world Goodbye, moon"]),
        ("Text, in a narrow sense, is writing.\nOthers say, with reason, more.\nStill, nobody knows, they say.\n",
         ["Text, in a narrow sense, is writing. Others say, with reason, more. Still, nobody knows, they say."]),
        ("Problem, solved\n\nAnother prompt, with words", ["Problem, solved", "Another prompt, with words"]),
        ("Question, answer\nWhat is this, exactly", ["Question, answer What is this, exactly"]),
        ("Content, form\nand so on, yes", ["Content, form and so on, yes"]),
        ("Instruction; Input\nWrite; now", ["Instruction; Input Write; now"]),
        ("Hello\rthere\r\rWorld\r", ["Hello there", "World"]),
        ("twice\r\r\nas a program\r\r\n\r\r\nfor Windows writes", ["twice as a program", "for Windows writes"]),
        ("1,000 soldiers marched\n2,000 came back", ["1,000 soldiers marched 2,000 came back"]),
        ("1, 2 and 3 are numbers", ["1, 2 and 3 are numbers"]),
        ("1984", ["1984"]),
        ("2 + 2", ["2 + 2"]),
        ("- \"Hello,\" he said.\n- \"Bye\"", ['- "Hello," he said. - "Bye"']),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n\nAdd them.", ["| a | b | |---|---| | 1 | 2 |", "Add them."]),
        ("x = ['a']\nprint(x)\n\nWhat does it print?", ["x = ['a'] print(x)", "What does it print?"]),
        ("text = 'a'\nprint(text)\n\nWhat does it print?", ["text = 'a' print(text)", "What does it print?"]),
        ("[Verse 1]\nRoses are red", ["[Verse 1] Roses are red"]),
        ("cat a | sort\nls | wc", ["cat a | sort ls | wc"]),
        ('Explain this:\n\n{"prompt": "x"}', ["Explain this:", '{"prompt": "x"}']),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["p.txt", "p.md", "p"])
def test_prose_is_prose(content: str, wanted: list[str], name: str, read: Reads) -> None:
    assert read(name, content) == wanted


# Every prompt survives every format, byte for byte


PROMPT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).filter(
    lambda text: bool(text.strip())
)
NASTY = st.sampled_from(
    [
        "[",
        "{",
        "}",
        '"',
        "'",
        ",",
        ";",
        "\t",
        "\n",
        "\r\n",
        "\r",
        "\\",
        "\u2028",
        "\x85",
        "\x1c",
        "é",
        "🙂",
        "\ufeff",
        "a",
    ]
)
TEXT = PROMPT | st.lists(NASTY, min_size=1).map("".join).filter(lambda text: bool(text.strip()))


@settings(max_examples=40)
@given(prompts=st.lists(TEXT, min_size=1, max_size=4), escaped=st.booleans(), indent=st.sampled_from([None, 2]))
@example(prompts=['{"prompt": "x"}', "a"], escaped=False, indent=None)
def test_prompts_survive_every_format(
    prompts: list[str], escaped: bool, indent: int | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()

    def dumped(value: object, indent: int | None = None) -> str:
        return json.dumps(value, ensure_ascii=escaped, indent=indent)

    for name in ("p.json", "p.jsonl", "p.txt"):
        assert read_file(folder / name, dumped(prompts, indent)) == prompts
        assert read_file(folder / name, dumped({"data": [{"text": each} for each in prompts]}, indent)) == prompts
        assert read_file(folder / name, "\n".join(map(dumped, prompts))) == prompts
        assert read_file(folder / name, "\r\n".join(dumped({"id": 1, "prompt": each}) for each in prompts)) == prompts
        chats = [[{"role": "user", "content": each}] for each in prompts]
        assert read_file(folder / name, "\n".join(dumped({"messages": chat}) for chat in chats)) == list(
            map(asked, prompts)
        )
        assert read_file(folder / name, dumped([{"conversations": c} for c in chats], indent)) == list(
            map(asked, prompts)
        )
    if "\0" not in "".join(prompts):
        for name, delimiter in (("p.csv", ","), ("p.csv", ";"), ("p.tsv", "\t"), ("p.txt", ","), ("p.txt", "|")):
            rows = [["id", "prompt"], *(["1", each] for each in prompts)]
            assert read_file(folder / name, table(rows, delimiter)) == prompts


@given(prompts=st.lists(st.text("abcäß你🙂\u00a0\u2028.!?", min_size=1), min_size=1, max_size=4))
def test_prompts_survive_text(prompts: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    prompts = [f"w{each}" for each in prompts]
    assert read_file(tmp_path_factory.getbasetemp() / "p.txt", "\n\n".join(prompts)) == prompts


WORDS = st.sampled_from(
    [*sorted(KNOWN), "context", "id", "answer", "so on", "a 'b'", "and (c)", "where?", "nobody knows"]
)
CLAUSES = st.tuples(st.lists(WORDS, min_size=2, max_size=4), st.sampled_from([", ", "; "])).map(
    lambda line: line[1].join(line[0]).capitalize()
)


@given(
    paragraphs=st.lists(st.lists(CLAUSES, min_size=1, max_size=5), min_size=1, max_size=3),
    end=st.sampled_from(["", "."]),
)
@example(paragraphs=[["Question, answer", "What is this, exactly"]], end="")
@example(paragraphs=[["Problem, solved"], ["Another prompt, with words"]], end="")
def test_prose_with_commas_is_never_cut(
    paragraphs: list[list[str]], end: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = "\n\n".join("\n".join(f"{line}{end}" for line in paragraph) for paragraph in paragraphs)
    wanted = [" ".join(f"{line}{end}" for line in paragraph) for paragraph in paragraphs]
    assert read_file(tmp_path_factory.getbasetemp() / "p.txt", content) == wanted


FIELDS = [
    "prompt",
    "messages",
    "turns",
    "role",
    "from",
    "content",
    "value",
    "text",
    "type",
    "input",
    "body",
    "input_ids",
    "x",
]
JSONISH = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.sampled_from(["", "a", "user", "human"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(FIELDS),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)  # fmt: skip


@given(
    content=st.binary(max_size=60)
    | st.text(st.sampled_from("[]{}\",:;\t\n'\\ 1-<>/aprompt\ufeff\0"), max_size=40).map(lambda text: text.encode())
    | JSONISH.map(lambda value: json.dumps(value).encode())
    | st.lists(JSONISH, max_size=3).map(lambda values: lines(*values).encode()),
    name=st.sampled_from(["p.json", "p.jsonl", "p.csv", "p.tsv", "p.txt", "p.md", "p"]),
)
def test_no_file_gives_a_traceback(content: bytes, name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    try:
        prompts = read_file(tmp_path_factory.getbasetemp() / name, content)
    except UserError as error:
        said = str(error)
    else:
        said = ""
        assert prompts and all(prompt if isinstance(prompt, str) else prompt.messages for prompt in prompts)
    assert not said or (said.startswith("PROMPTS_FILE=") and said.endswith(".") and "\n" not in said)


# What is refused, with its place


def packed() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as book:
        book.writestr("xl/workbook.xml", "<workbook/>")
    return archive.getvalue()


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 671\n"
IDS = "holds token ids (input_ids), which do not say by which tokenizer"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("p.txt", "", " is empty"),
        ("p.txt", "\n \n\n", " is empty"),
        ("p.jsonl", "\n", " is empty"),
        ("p.json", "[]", " is empty"),
        ("p.csv", "prompt\n", " is empty"),
        ("p.jsonl", '"a"\n""\n', ", line 2: it is an empty string"),
        ("p.jsonl", '{"prompt": " "}', ", line 1: its prompt is an empty string"),
        ("p.csv", "id,prompt\n1,a\n2,\n", ", line 3: its prompt is an empty string"),
        ("p.json", '["a", ""]', ", item 2 (line 1): it is an empty string"),
        ("p.txt", b"caf\xe9", " is not UTF-8 (byte 3); save it as UTF-8"),
        ("p.csv", "prompt\ncafé\n".encode("latin-1"), " is not UTF-8 (byte 10)"),
        ("p.json", '["a"]'.encode("utf-16"), " is UTF-16; save it as UTF-8"),
        ("p.txt", "hello".encode("utf-16-be"), " is no text: byte 0 is zero"),
        ("p.txt", "\ufeffhello".encode("utf-16-be"), " is UTF-16"),
        ("p.txt", "\ufeffhello".encode("utf-32-le"), " is UTF-32"),
        ("p.txt", b"hello\0there", " is no text: byte 5 is zero"),
        ("p.txt", b"PAR1\x15\x04", " is Parquet; make JSON lines of it"),
        ("p.jsonl", b"\x1f\x8b\x08\x00", " is packed with gzip; unpack it first"),
        ("p.jsonl.zst", b"\x28\xb5\x2f\xfd\x04", " is packed with zstd"),
        ("p.xlsx", packed(), " is a ZIP archive or an Excel workbook"),
        ("p.json", POINTER, " is a Git LFS pointer and not the file itself; fetch it with git lfs pull"),
        ("p.parquet", POINTER, " is a Git LFS pointer"),
        ("p.jsonl", '"good"\n{"prompt": "cut\n', ", line 2, is not JSON (Invalid control character)."),
        ("p.txt", '{"prompt": "cut', ", line 1, is not JSON"),
        ("p.txt", '[{"prompt": "a"},\n{"prompt": "b"', ", line 2, is not JSON"),
        ("p.txt", '["a",\n"b"', ", line 2, is not JSON (the list that it is in does not end)"),
        ("p.txt", '{\n  "prompt": "a",\n  "x": tru\n}', ", line 1, is not JSON (Expecting value on line 3)"),
        ("p.txt", '{"prompt": "a"}\n{"prompt": "b"} # note\n{"prompt": "c"}\n', ", line 2, is not JSON"),
        ("p.txt", '# mine\n{"prompt": "a"}\n{"prompt": "b"}\n', ", line 1, is not JSON"),
        ("p.txt", "[{'prompt': 'a'}]", ", line 1, is not JSON (Expecting property name enclosed in double quotes; JSON takes"),
        ("p.txt", "['a', 'b']", "; JSON takes double quotes"),
        ("p.json", "The weather in April.", ", line 1, is not JSON"),
        ("p.txt", "[" * 100_000, ", line 1, is not JSON (nested too deeply)"),
        ("p.json", "[" * 100_000, ", line 1, is not JSON (nested too deeply)"),
        ("p.json", '{"input":' * 900 + '"a"' + "}" * 900, ", line 1"),
        ("p.json", '{"prompt": ' + "1" * 5000 + "}", "is not JSON (a number that is too long)"),
        ("p.txt", "[1, 2, 3]", ", item 1 (line 1): it is a number; a string, or an object with prompt or messages"),
        ("p.txt", "[101, 7\n", ", line 1, is not JSON"),
        ("p.jsonl", "[1]\n", ", item 1 (line 1): it is a number"),
        ("p.jsonl", "[1, 2]\n[3]\n", ", line 1: it is a list of numbers"),
        ("p.jsonl", '"good"\n\n{"goal": "x"}\n', ", line 3: it has no field such as prompt, text, question, instruction or input, "),
        ("p.json", '{"config": {"a": 1}}', "it has config."),
        ("p.json", "{}", "it has none at all."),
        ("p.jsonl", '{"prompt": 5}\n', ", line 1: its prompt is a number, and text is wanted"),
        ("p.jsonl", '{"prompt": null}\n', ", line 1: its prompt is null"),
        ("p.jsonl", '"half \\ud800 pair"\n', ", line 1: it holds half a surrogate pair"),
        ("p.jsonl", '{"messages": [{"role": "user", "content": "\\udc00"}]}\n', "half a surrogate pair"),
        ("p.jsonl", '{"task_id": 0, "input_ids": [1, 2], "output_tokens": 3}\n', f", line 1: it {IDS}"),
        ("p.jsonl", '{"prompt": [1, 2]}\n', ", line 1: it holds token ids (prompt)"),
        ("p.json", '{"metadata": {}, "samples": [{"input_len": 2, "input_ids": [1, 2]}]}', f", item 1 of samples: it {IDS}"),
        ("p.csv", 'input_ids,output_len\n"[1, 2]",5\n', "it has input_ids, output_len; token ids do not say"),
        ("p.jsonl", lines(USER), ", line 1: it is a single message; a conversation is a list of them"),
        ("p.jsonl", lines({"messages": [{"role": "tool", "content": "4"}]}), "one of its messages is from 'tool'; known are user"),
        ("p.jsonl", lines({"messages": [{"role": "user"}]}), "the content of one of its messages is null"),
        ("p.jsonl", lines({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}), "type 'image_url'; only text"),
        ("p.json", json.dumps([{"conversations": []}, {"messages": [ANSWER]}]), " holds 2 conversations, and nobody asks"),
        ("p.csv", "timestamp,ContextTokens\n1,2\n", ", line 1: a table wants a header with a column such as prompt"),
        ("p.txt", "timestamp,ContextTokens\n1,2\n", "it has timestamp, ContextTokens."),
        ("p.txt", "name\tage\nanna\t5\n", "it has name, age."),
        ("p.csv", "id,prompt\n1,Hello, how are you?\n", ", line 2: 3 cells in a row where the header has 2; text with a comma"),
        ("p.txt", "id,prompt\n1,Hello, how are you?\n", ", line 2: 3 cells"),
        ("p.csv", "prompt\n1, 2\n", ", line 2: 2 cells"),
        ("p.csv", 'id,prompt\n1,"never closed\n', ", the row after line 1: unexpected end of data"),
        ("p.md", "| id | prompt |\n|---|:---:|\n| 1 | Hello |\n", ", line 1, is a Markdown table; save it as CSV"),
        ("p.txt", "prompt | id\n--- | ---\nHello | 1\n", ", line 1, is a Markdown table"),
        ("p.md", "| prompt |\n|---|\n| Hello |\n", ", line 1, is a Markdown table"),
        ("p.txt", "id | prompt\n1 | Hello\n", ", line 1, looks like a table with blanks around its delimiters"),
        ("p.txt", "id, prompt\n1, Hello\n2, Hi, you\n", ", line 1, looks like a table with blanks around its delimiters"),
        ("p.txt", "prompt, context\nExplain, please\n", ", line 1, looks like a table with blanks around its delimiters"),
        ("p.txt", '"ID", "Prompt"\n"1", "Hello"\n', ", line 1, looks like a table with blanks around its delimiters"),
        ("p.txt", "id|prompt\n1|Hello|you\n", ", line 2: 3 cells in a row where the header has 2; text with a vertical bar"),
        ("p.txt", "1,Hello there,x\n2,World,y\n", ", line 1, looks like a table without a header"),
        ("p.txt", "1\tHello\n2\tWorld\n", ", line 1, looks like a table without a header"),
        ("p.txt", "prompt\nTell me a story\nTell me another\n", ", line 1, is the name of a column alone; name the file .csv"),
        ("p.txt", '"question"\r\n"Why, and how?"\r\n', ", line 1, is the name of a column alone"),
        ("p.txt", "15496, 995, 318\n11, 22, 33\n", ", line 1, holds numbers alone; token ids do not say by which"),
        ("p.txt", "1 2 3 4\n5 6 7 8\n", ", line 1, holds numbers alone"),
        ("p.txt", '[[prompts]]\ntext = "hello"\n', ", line 1, is TOML or INI; make JSON lines"),
        ("p.txt", '# mine\ntitle = "x"\n\n[a.b]\nprompt = """\nhello"""\n', ", line 1, is TOML or INI"),
        ("p.txt", "; mine\n[prompt]\ntext=hello\n", ", line 1, is TOML or INI"),
        ("p.txt", 'prompt = "hello"\nid = 1\n', ", line 1, is TOML or INI"),
        ("p.py", "prompts = [\n 'a',\n 'b'\n]\n", ", line 1, is a list in a program or TOML"),
        ("p.js", 'const mine = ["a", "b"];\n', ", line 1, is a list in a program or TOML"),
        ("p.txt", '- "Tell me a story"\n- "Tell me another"\n', ", line 1, is YAML"),
        ("p.txt", "- 'a'\r- 'b'\r", ", line 1, is YAML"),
        ("p.txt", "- |\n  a\n- |\n  b\n", ", line 1, is YAML"),
        ("p.txt", "prompt: >-\n  a\n", ", line 1, is YAML"),
        ("p.jsonl", '"good"\r{"goal": "x"}\r', ", line 2: it has no field such as prompt"),
        ("p.yaml", "- a\n- b\n", " is YAML by its name"),
        ("p.txt", "- prompt: a\n- prompt: b\n", ", line 1, is YAML; make JSON lines"),
        ("p.txt", "# mine\n---\nprompts:\n  - a\n", ", line 1, is YAML"),
        ("p.txt", "<?xml version='1.0'?>\n<a/>", ", line 1, is XML or HTML"),
        ("p.txt", "<!DOCTYPE html>\n<p>a", ", line 1, is XML or HTML"),
        ("p.txt", "<prompts>\n<prompt>a</prompt>\n</prompts>\n", ", line 1, is XML or HTML"),
    ],
)  # fmt: skip
def test_data_that_is_not_understood_is_refused_with_its_place(
    name: str, content: str | bytes, said: str, read: Reads, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as refused:
        read(name, content)
    assert str(refused.value).startswith(f"PROMPTS_FILE={str(tmp_path / name)!r}")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_database_and_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "p.db") as base:
        base.execute("create table prompts (prompt text)")
    with pytest.raises(UserError, match="is an SQLite database"):
        read_prompts(tmp_path / "p.db")
    with pytest.raises(UserError, match="cannot be read: No such file"):
        read_prompts(tmp_path / "none")
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        read_prompts(tmp_path)


# Long files, and what is left out


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.json", json.dumps([f"prompt {at}" for at in range(5000)])),
        ("p.jsonl", lines(*({"prompt": f"prompt {at}"} for at in range(5000)))),
        ("p.csv", table([["n", "prompt"], *(["1", f"prompt {at}"] for at in range(5000))], ",")),
        ("p.txt", "\n\n".join(f"prompt {at}" for at in range(5000))),
    ],
)
@pytest.mark.parametrize("limit", [prompt_files.LIMIT, 9_001, 9_002, 9_007, 9_020])
def test_of_a_long_file_the_first_prompts_are_taken_whole(
    name: str, content: str, limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8", newline="")
    monkeypatch.setattr(prompt_files, "LIMIT", limit)
    notes: list[str] = []
    prompts = read_prompts(tmp_path / name, notes.append)
    assert prompts == [f"prompt {at}" for at in range(len(prompts))]
    assert len(prompts) == 1000 if limit == prompt_files.LIMIT and limit > 10_000 else 100 < len(prompts) < 1000
    assert notes == [f"{name} is long: its first {len(prompts):,} prompts are taken"]


def test_a_row_with_other_cells_in_the_middle_of_a_long_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_files, "LIMIT", 100)
    (tmp_path / "p.csv").write_text("n,prompt\n" + "1,a\n" * 3 + "1,a,b\n" + "1,a\n" * 99)
    with pytest.raises(UserError, match=r"line 5: 3 cells in a row where the header has 2"):
        read_prompts(tmp_path / "p.csv")


def test_no_more_is_read_than_the_limit(tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    with file.open("wb") as stream:
        stream.write(b'["one long enough", "' + b"a" * 100)
        stream.truncate(2**40)  # a hole of zero bytes
    with pytest.raises(UserError, match="is no text: byte 121 is zero"):
        read_prompts(file)


def test_a_file_of_long_prompts_ends_with_its_letters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_files, "ENOUGH", 100)
    (tmp_path / "p.jsonl").write_text(lines(*["a" * 60] * 9))
    notes: list[str] = []
    assert len(read_prompts(tmp_path / "p.jsonl", notes.append)) == 2
    assert notes == ["p.jsonl is long: its first 2 prompts are taken"]


def test_one_prompt_longer_than_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_files, "LIMIT", 2**20)
    for name, content in (("p.json", '["' + "é" * 2**20), ("p.jsonl", '"' + "é" * 2**20), ("p.txt", "aé" * 2**20)):
        (tmp_path / name).write_text(content, encoding="utf-8")
        with pytest.raises(UserError, match=r"holds no whole prompt in its first 1 MiB"):
            read_prompts(tmp_path / name)


def test_conversations_in_which_nobody_asks_are_left_out_and_told(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(json.dumps([*SHAREGPT, {"conversations": []}, {"messages": [ANSWER]}]))
    notes: list[str] = []
    assert read_prompts(tmp_path / "p.json", notes.append) == CHATS
    assert notes == ["p.json: left out 2 conversations in which nobody asks anything"]
