"""docs/possible.html in headless Chromium: the same verdicts and sentences as the command, in two languages, for everybody."""

from __future__ import annotations

import contextlib
import io
import json
import math
import random
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from markupsafe import Markup

import browsing
import trtbench.possible
from once import made_once, session_folder
from trtbench.errors import UserError
from trtbench.machine import cards
from trtbench.model.shape import TINYLLAMA, ModelShape
from trtbench.referee import claim_options, fits, roofline
from trtbench.referee.claim import Claim, examine
from trtbench.report.claim_page import document
from trtbench.report.claim_text import told
from trtbench.report.language import LANGUAGES
from trtbench.report.page import templates
from trtbench.settings.knobs import ROOT

PAGE = ROOT / "docs" / "possible.html"
CLAIMS = 200  # of each card
SEED = 20261129
DATA = document.data()
SHAPES = {"tinyllama": TINYLLAMA} | {
    name: ModelShape.from_config(config)
    for name, config in json.loads((document.FOLDER / "models.json").read_text(encoding="utf-8")).items()
}
OTHER = {"layers": "32", "hidden": "4096", "heads": "32", "kv-heads": "8", "head-dim": "128", "intermediate": "14336"}
OTHER |= {"vocab": "128256"}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def chromium() -> str:
    return browsing.chromium()


def asking(chromium: str, folder: Path, page: Path, **what: Any) -> Callable[[], dict[str, Any]]:
    """Start claims.mjs; what it heard of the page is there when the result is called."""
    (folder / "asked.json").write_text(json.dumps(what), encoding="utf-8")
    command = [
        "node",
        str(browsing.BROWSER / "claims.mjs"),
        chromium,
        page,
        folder / "asked.json",
        folder / "said.json",
    ]
    process = subprocess.Popen([*map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def said() -> dict[str, Any]:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors[-2000:]
        heard: dict[str, Any] = json.loads((folder / "said.json").read_text(encoding="utf-8"))
        return heard

    return said


# The arithmetic


def model_of(fields: dict[str, str]) -> ModelShape:
    if fields["model"] != "other":
        return SHAPES[fields["model"]]
    sizes = ("num_hidden_layers", "hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim")
    config: dict[str, Any] = dict(
        zip((*sizes, "intermediate_size", "vocab_size"), (int(fields[name]) for name in OTHER))
    )
    experts = {"num_local_experts": int(fields["experts"]), "num_experts_per_tok": int(fields["active-experts"])}
    sparse = experts["num_local_experts"] > 0
    config |= {"model_type": "mixtral", **experts} if sparse else {"model_type": "llama"}
    return ModelShape.from_config(config | {"tie_word_embeddings": fields["tied"] == "yes"})


def expected(fields: dict[str, str]) -> dict[str, Any]:
    """What the program says of the claim that these fields make."""
    shape, precision = model_of(fields), roofline.precision(fields["precision"])
    gbs, gib = fields.get("bandwidth-gbs"), fields.get("memory-gb")
    machine, place = claim_options.card(fields["gpu"] if gbs is None else None, None if gbs is None else float(gbs))
    if gib:
        machine = roofline.Machine(machine.bandwidth, memory=float(gib) * 2**30, link=fits.LINK)
    roof = claim_options.Roof(shape, precision, machine, place, int(fields["cards"]))
    milliseconds, rate = fields["latency-ms"], fields["tokens-per-s"]
    claim = Claim(
        int(fields["batch"]),
        int(fields["prompt"] or 0),
        int(fields["tokens"] or 0),
        float(milliseconds) / 1e3 if milliseconds else None,
        float(rate) if rate else None,
    )
    answer = examine(shape, precision, fits.together(machine, roof.cards), claim)
    lines = {code: [told(say, line) for line in (roof.on, *answer.lines)] for code, say in LANGUAGES.items()}
    return {"possible": answer.possible, **lines}


def drawn(draw: random.Random, card: dict[str, Any] | None) -> dict[str, str]:
    """A claim on a card, None for one that is not in the table: near a ceiling, in contradiction to itself, or anything."""
    machine = roofline.Machine(**card["machine"]) if card else roofline.Machine(1e9)
    fields = {"gpu": card["gpu"] if card else "other", "precision": draw.choice(list(roofline.PRECISIONS))}
    if card is None:
        fields["bandwidth-gbs"] = draw.choice(["1008", "273.5", "0.5", f"{10 ** draw.uniform(1, 4):.6g}"])
        fields["memory-gb"] = draw.choice(["", "24", "11.5", f"{10 ** draw.uniform(0, 3):.5g}"])
        machine = roofline.Machine(float(fields["bandwidth-gbs"]) * 1e9)
    fields["model"] = draw.choice(["tinyllama", "other", draw.choice(list(SHAPES))])
    if fields["model"] == "other":
        fields |= {name: str(max(1, int(int(size) * draw.choice([1, 1, 0.5, 3])))) for name, size in OTHER.items()}
        fields["heads"] = str(int(fields["kv-heads"]) * draw.choice([1, 4, 7]))
        experts = draw.choice([0, 0, 8, 257])
        fields |= {"experts": str(experts), "active-experts": str(draw.randint(1, experts) if experts else 0)}
        fields["tied"] = draw.choice(["", "yes"])
    count = draw.choice([1, 1, 1, draw.randint(2, 9), draw.randint(10, 1024)])
    batch = draw.choice([1, 1, draw.randint(2, 64), int(10 ** draw.uniform(0, 5)), 999_999_999])
    prompt = draw.choice([0, 0, 1, 128, int(10 ** draw.uniform(0, 6)), 999_999_999])
    tokens = draw.choice([0, 1, 2, 200, draw.randint(3, 4096), int(10 ** draw.uniform(0, 6)), 999_999_999])
    fields |= {"cards": str(count), "batch": str(batch), "prompt": str(prompt or ""), "tokens": str(tokens or "")}

    shape, precision, all_cards = (
        model_of(fields),
        roofline.PRECISIONS[fields["precision"]],
        fits.together(machine, count),
    )
    near = draw.choice([1, 1.01, 1.02, 0.98, draw.uniform(0.9, 1.1), 10 ** draw.uniform(-2, 2)])
    seconds = rate = None
    if tokens and draw.random() < 0.75:
        floor = roofline.generation_floor(shape, precision, all_cards, batch, prompt, tokens)
        seconds = draw.choice(
            [floor.seconds, floor.least_seconds or 1, fits.link_seconds(floor, tokens, all_cards) or 1]
        )
        seconds *= near
    if seconds is None or draw.random() < 0.75:
        steps = max(tokens - 1, 1)
        floor = roofline.decode_floor(shape, precision, all_cards, batch, prompt, steps)
        rate = batch * steps / draw.choice([floor.seconds, fits.link_seconds(floor, steps, all_cards) or 1]) * near
        if seconds is not None:
            made = [batch * tokens, batch * (prompt + tokens), batch, tokens, batch * tokens * draw.uniform(0.1, 3)]
            rate = draw.choice(
                [rate, *(each / seconds * draw.choice([1, 1, 1.019, 1.021, 0.979, 0.981]) for each in made)]
            )
    return fields | {"latency-ms": written(draw, seconds and seconds * 1e3), "tokens-per-s": written(draw, rate)}


def written(draw: random.Random, value: float | None) -> str:
    """A figure as people or programs write it: rounded, in full, or on the middle between two that are shown."""
    if value is None:
        return ""
    value = min(max(value, 1e-8), 1e11)
    return draw.choice(
        [f"{value:.1f}", f"{value:.4g}", repr(value), f"{math.floor(value)}.25", f"{math.floor(value)}.75"]
    )


def sound(fields: dict[str, str]) -> dict[str, str]:
    """A drawn claim whose rounded figures are not 0."""
    for name in ("latency-ms", "tokens-per-s"):
        if fields[name] and float(fields[name]) < 1e-9:
            fields[name] = "0.25"
    return fields


@pytest.fixture(scope="module")
def claims() -> list[list[dict[str, str]]]:
    """For each card, for each name that several have, and for cards that are not in the table."""
    draw = random.Random(SEED)
    table = {card.name for card in cards.CARDS}
    number = {card["gpu"]: CLAIMS if card["gpu"] in table else CLAIMS // 10 for card in DATA["CARDS"]}
    assert table <= set(number)
    of_cards = [[sound(drawn(draw, card)) for _ in range(number[card["gpu"]])] for card in DATA["CARDS"]]
    return [*of_cards, [sound(drawn(draw, None)) for _ in range(CLAIMS)]]


def test_every_sentence_is_the_commands_on_all_cards(
    chromium: str, claims: list[list[dict[str, str]]], tmp_path: Path
) -> None:
    said = asking(chromium, tmp_path, PAGE, judged=claims)
    wanted = [[expected(fields) for fields in of_card] for of_card in claims]  # while the browser does the same
    heard = said()
    for of_card, answers, right in zip(claims, heard["judged"], wanted, strict=True):
        for fields, answer, answer_of_python in zip(of_card, answers, right, strict=True):
            assert answer == answer_of_python, fields
    answers = [answer for right in wanted for answer in right]
    seen = {line for answer in answers for line in answer["en"]}
    assert len(answers) / 5 < sum(answer["possible"] for answer in answers) < len(answers) * 4 / 5
    for words in SEEN:
        assert any(words in line for line in seen), words
    assert heard["console"] == heard["requests"] == []


# A part of each sentence that there is, so that none goes untested.
SEEN = (
    *(
        "GB: ",
        "MB: ",
        "and the KV cache.",
        "cards together",
        "tensor cores is the bound",
        "fits into the last-level cache",
    ),
    *(
        "Weights take",
        "Weights (",
        "the card holds",
        "cards hold",
        "lies outside",
        "rules out no more",
        "which allows at most",
    ),
    *(
        "Otherwise it takes",
        "such cards",
        " or bfloat16",
        "1 new token ",
        "times the ceiling.",
        "rounded figures",
        "% of the",
    ),
    *("1 token where", "prompt and output together", "a rate of requests", "rate of one of the", "fewer tokens came"),
    *("leaves out part of the time", "leaves the prompt out: the steps", "and its least is", "ids take", "id takes"),
    *(
        "a length that is not said",
        "which then took",
        "memory or the tensor cores",
        "the time is shorter than the link",
    ),
    *(
        "the rate is above the ceiling",
        "above what the link",
        "rate and time contradict",
        "only with offload",
        "POSSIBLE: nothing",
    ),
)


@pytest.mark.parametrize(
    ("file", "there", "changed"),
    [
        ("arithmetic.js", "growing * (growing - 1n)", "growing * (growing + 1n)"),
        ("words.js", "rest === half && whole & 1n", "rest === half"),
    ],
)
def test_a_changed_figure_is_found(
    file: str,
    there: str,
    changed: str,
    chromium: str,
    claims: list[list[dict[str, str]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sound = templates.beside

    def worse(name: str, folder: Path = templates.FOLDER) -> Markup:
        text = sound(name, folder)
        if name == file:
            assert text.count(there) == 1
            text = Markup(text.replace(there, changed))
        return text

    monkeypatch.setattr(templates, "beside", worse)
    (tmp_path / "worse.html").write_text(document.render(), encoding="utf-8")
    some = [of_card[:40] for of_card in claims[::6]]
    said = asking(chromium, tmp_path, tmp_path / "worse.html", judged=some)()
    pairs = ((fields, answer) for of, answers in zip(some, said["judged"]) for fields, answer in zip(of, answers))
    assert any(answer != expected(fields) for fields, answer in pairs)


# The form

TYPED: list[dict[str, str]] = [
    {},
    {
        "gpu": "H100",
        "cards": "8",
        "model": "Mixtral-8x7B",
        "precision": "fp8",
        "batch": "64",
        "prompt": "512",
        "tokens-per-s": "9,000.5",
    },
    {
        "gpu": "other",
        "bandwidth-gbs": "1008",
        "memory-gb": "24",
        "model": "other",
        **OTHER,
        "experts": "8",
        "active-experts": "2",
    },
    {
        "gpu": "other",
        "bandwidth-gbs": "273",
        "model": "other",
        **OTHER,
        "tied": "yes",
        "latency-ms": "260,3",
        "tokens-per-s": "",
    },
    {"gpu": "T4", "model": "DeepSeek-V3", "precision": "int4_awq", "tokens": "1", "latency-ms": "1 200,5"},
]
# What is wrong, the field that says so, and the command's own words where it has the same sentence.
BAD: list[tuple[dict[str, str], str, str | None]] = [
    ({"batch": "0"}, "batch", "'0' is not a whole number of at least 1"),
    ({"batch": "1.5"}, "batch", "'1.5' is not a whole number of at least 1"),
    ({"prompt": "-1"}, "prompt", "'-1' is not a whole number of at least 0"),
    ({"cards": "1025"}, "cards", "'1025' is more than 1,024 cards"),
    ({"tokens-per-s": "nan"}, "tokens-per-s", "'nan' is not a number above 0"),
    ({"latency-ms": "5e-324"}, "latency-ms", "'5e-324' is not a number above 0"),
    ({"latency-ms": "1,523"}, "latency-ms", None),
    ({"latency-ms": "", "tokens-per-s": ""}, "latency-ms", None),
    ({"tokens": ""}, "tokens", None),
    ({"gpu": "other"}, "bandwidth-gbs", None),
    ({"model": "other", **OTHER, "kv-heads": "5"}, "kv-heads", None),
    ({"model": "other", **OTHER, "experts": "2", "active-experts": "3"}, "active-experts", None),
    ({"model": "other", **OTHER, "layers": ""}, "layers", None),
]
SHOWN = 3  # of these are typed; the others are asked of the page's function, which is quicker
PASTED: list[tuple[str, dict[str, str]]] = [
    (
        "TinyLlama on an RTX 4070, fp16, batch 1: 200 tokens in 260.3 ms, 2,723.2 tokens/s",
        {"gpu": "GeForce RTX 4070", "model": "tinyllama", "precision": "float16", "batch": "1", "tokens": "200"}
        | {"latency-ms": "260.3", "tokens-per-s": "2,723.2"},
    ),
    (
        "Llama-2-7b, H100, int8, batch size 32, 128 prompt tokens, 256 new tokens, 1.5 s",
        {"gpu": "H100", "model": "Llama-2-7b", "precision": "int8", "batch": "32", "prompt": "128", "tokens": "256"}
        | {"latency-ms": "1500"},
    ),
    ("300 jetons/s sur une RTX 4070 Ti, lot de 4", {"gpu": "GeForce RTX 4070 Ti", "tokens-per-s": "300", "batch": "4"}),
    ("hello", {}),
]


@pytest.fixture(scope="module")
def used(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What was seen of the page when it was typed into and looked at."""
    folder = session_folder(tmp_path_factory, "possible-page")
    with made_once(folder / "used.json") as wanted:
        if wanted:
            bad = [fields for fields, *_ in BAD]
            typed, judged = [*TYPED, *bad[:SHOWN]], [[document.EXAMPLE | fields for fields in bad]]
            said = asking(
                chromium, folder, PAGE, judged=judged, typed=typed, pasted=[text for text, _ in PASTED], looked=True
            )()
            (folder / "used.json").write_text(json.dumps(said), encoding="utf-8")
    found: dict[str, Any] = json.loads((folder / "used.json").read_text(encoding="utf-8"))
    return found


def commanded(state: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[int, list[str]]:
    """Exit status and lines of the command that the page shows."""
    monkeypatch.chdir(folder)
    if state["config"]:
        (folder / "config.json").write_text(state["config"], encoding="utf-8")
    words = shlex.split(state["command"])
    assert words[:4] == ["PYTHONPATH=scripts", "python3", "-m", "trtbench.possible"]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        status = trtbench.possible.main(words[4:])
    return status, printed.getvalue().splitlines()


@pytest.mark.parametrize("place", range(len(TYPED)))
def test_the_command_that_is_shown_answers_the_same(
    place: int, used: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    english, linked, french = (used["typed"][place][name] for name in ("english", "linked", "french"))
    status, lines = commanded(english, tmp_path, monkeypatch)
    assert english["word"] == ("IMPOSSIBLE" if status else "POSSIBLE") or (
        status == 0 and english["word"].startswith("POSSIBLE only with offload")
    )
    assert [*english["lines"], f"{english['word']}: {english['reason']}"] == lines
    assert len(french["lines"]) == len(lines) - 1 and french["lines"] != english["lines"]
    # The link opens with the same, in its own language, whatever the browser's.
    assert {**linked, "hash": ""} == {**english, "hash": ""}


def test_opened_first_it_shows_the_readmes_example(used: dict[str, Any]) -> None:
    opened = used["opened"]
    assert opened["word"] == "IMPOSSIBLE"
    assert opened["fields"]["gpu"] == "GeForce RTX 4070"
    assert "Claimed: 2,723.2 tokens/s: 11.19 times the ceiling." in opened["lines"]
    assert opened["hash"] == ""


@pytest.mark.parametrize("place", range(len(BAD)))
def test_bad_input_is_one_sentence_of_its_field(place: int, used: dict[str, Any]) -> None:
    fields, name, words = BAD[place]
    faults = used["judged"][0][place]["faults"]
    assert name in faults
    for fault in faults.values():
        assert fault["en"] != fault["fr"] and fault["en"].endswith(".") and fault["fr"].endswith(".")
    if words:
        assert faults == {name: {**faults[name], "en": f"{words}."}}
        options = [f"--{option}={value}" for option, value in fields.items()]
        with pytest.raises(UserError) as refusal:
            trtbench.possible.main(["--model", "tinyllama", "--gpu", "T4", *options])
        assert words in str(refusal.value)


@pytest.mark.parametrize("place", range(SHOWN))
def test_it_stands_beside_the_field_and_there_is_no_verdict(place: int, used: dict[str, Any]) -> None:
    for language, code in (("english", "en"), ("french", "fr")):
        state = used["typed"][len(TYPED) + place][language]
        assert state["bad"] == {name: fault[code] for name, fault in used["judged"][0][place]["faults"].items()}
        assert state["invalid"] == list(state["bad"])
        assert (state["word"], state["lines"], state["command"]) == ("", [], None)


@pytest.mark.parametrize("place", range(len(PASTED)))
def test_what_was_understood_of_a_pasted_claim_is_in_the_fields(place: int, used: dict[str, Any]) -> None:
    state, (_, wanted) = used["pasted"][place], PASTED[place]
    before = dict.fromkeys(state["fields"], "") | document.EXAMPLE | {"tied": "on"}
    assert state["fields"] == {**before, **wanted}
    assert state["understood"].startswith("Taken from it: " if wanted else "Nothing")
    assert state["understood"].count(" · ") == max(len(wanted) - 1, 0)


# The page


def test_the_console_stays_empty_and_nothing_is_asked_of_the_network(used: dict[str, Any]) -> None:
    assert used["console"] == used["requests"] == []


def test_nothing_is_wider_than_the_screen(used: dict[str, Any]) -> None:
    assert len(used["width"]) == 4
    assert {inner for _, inner in used["width"].values()} == {1440, 360}
    for name, (content, inner) in used["width"].items():
        assert content <= inner, name


def test_the_accessibility_checker_finds_nothing(used: dict[str, Any]) -> None:
    assert len(used["axe"]) == 4
    assert [name for name, found in used["axe"].items() if found] == [], used["axe"]
    assert used["rules"] > 25


def test_the_keyboard_switches_the_language(used: dict[str, Any]) -> None:
    state = used["switched"]
    assert (state["lang"], state["pressed"], state["word"]) == ("fr", "fr", "IMPOSSIBLE")
    assert state["title"].startswith("Cette vitesse") and state["hash"].endswith("lang=fr")


def test_a_link_from_elsewhere_puts_text_into_fields_and_nothing_else(used: dict[str, Any]) -> None:
    state = used["hostile"]
    assert set(state["bad"]) == {"gpu", "model", "tokens-per-s"}
    assert "<script>" in state["bad"]["tokens-per-s"]


def test_the_button_copies_the_link(used: dict[str, Any]) -> None:
    copied, link = used["copied"]
    assert copied == link and "tokens-per-s=2723.2" in link


def test_paper_is_white_and_has_the_verdict(used: dict[str, Any]) -> None:
    assert used["print"] == {"background": "rgb(255, 255, 255)", "form": False, "verdict": True}


def test_without_scripts_it_says_so(used: dict[str, Any]) -> None:
    assert "JavaScript" in used["without_script"]
