"""The page: what it says, that nothing gets out of its place, and that it stays small. tests/e2e looks at it in a browser."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import re
import unicodedata

import pytest
from jinja2 import UndefinedError

import reports
from trtbench.comparison.clean_text import plain, safe
from trtbench.comparison.result import Comparison
from trtbench.report import rerun, scale, spread
from trtbench.report.language import ENGLISH, FRENCH
from trtbench.report.page import document, plot, templates
from trtbench.settings.knobs import defaults_of

KINDS = ["honest", "audited", "refused", "simulated", "few", "hostile", "beside"]


class Tree(html.parser.HTMLParser):
    """Elements with their attributes, and the text of each element by its path; fails on tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[tuple[str, ...], str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((name, dict(attributes)))
        if name not in ("meta", "link", "br", "hr", "wbr"):
            self.open.append(name)

    def handle_endtag(self, name: str) -> None:
        assert self.open.pop() == name

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((tuple(self.open), data))

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for found, attributes in self.elements if found == name]


def made(kind: str, lang: str = "en") -> str:
    comparison: Comparison = getattr(reports, kind)()
    return document.render(comparison, lang)


def article(text: str, lang: str) -> str:
    found = re.search(rf'<article lang="{lang}".*?</article>', text, re.DOTALL)
    assert found
    return found[0]


@pytest.mark.parametrize("kind", KINDS)
def test_every_page_is_well_formed_and_its_ids_are_unique(kind: str) -> None:
    tree = Tree(made(kind))
    ids = [a["id"] for _, a in tree.elements if "id" in a]
    assert len(ids) == len(set(ids))
    for _, attributes in tree.elements:
        for name in ("aria-labelledby", "aria-describedby"):
            assert attributes.get(name) is None or attributes[name] in ids


@pytest.mark.parametrize("kind", KINDS)
def test_it_asks_nothing_of_the_network(kind: str) -> None:
    tree = Tree(made(kind))
    addresses = [a[name] for _, a in tree.elements for name in ("src", "href", "action", "data", "srcset") if name in a]
    assert addresses == ["data:,"]  # the icon, so that no browser asks a server for one
    style = "".join(data for where, data in tree.texts if where[-1] == "style")
    assert "url(" not in style
    assert "@import" not in style


def test_the_policy_allows_this_style_and_this_script_and_nothing_else() -> None:
    tree = Tree(made("hostile"))
    policy = next(a["content"] for a in tree.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    for name in ("style", "script"):
        inner = [data for where, data in tree.texts if where[-1] == name]
        assert len(inner) == 1
        digest = base64.b64encode(hashlib.sha256(inner[0].encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
    assert not [a for _, a in tree.elements if any(key.startswith("on") or key == "style" for key in a)]


def test_hostile_text_stays_text() -> None:
    text = made("hostile")
    tree = Tree(text)
    assert len(tree.all("script")) == 1
    shown = " ".join(data for where, data in tree.texts if "article" in where)
    assert "<script>alert(1)</script>" in shown
    assert "</style></svg>-->]]>" in shown
    for bad in ("\x1b", "\u202e", "\u202c"):
        assert bad not in text
    assert "A" * 2001 not in text
    assert len(text) < 200_000


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_both_languages_are_in_it_and_the_one_asked_for_is_shown(lang: str) -> None:
    tree = Tree(made("honest", lang))
    assert tree.all("html")[0]["lang"] == lang
    assert {a["lang"]: "hidden" in a for a in tree.all("article")} == {"en": lang != "en", "fr": lang != "fr"}
    assert {a["lang"]: a["aria-pressed"] for a in tree.all("button")}[lang] == "true"


def test_the_sentence_on_top_gives_verdict_and_interval() -> None:
    text = made("honest")
    first = article(text, "en")[:2000]
    assert "FASTER" in first
    assert "ONNX Runtime is 2.00x faster than PyTorch eager (1.98-2.02)" in first
    assert "ONNX Runtime est 2,00\u00a0fois plus rapide que PyTorch eager (1,98-2,02)" in article(text, "fr")


def test_without_an_interval_it_says_why() -> None:
    first = article(made("few"), "en")[:1500]
    assert "NO VERDICT" in first
    assert "fewer than three trials" in first


@pytest.mark.parametrize(
    ("kind", "english", "french"),
    [
        ("refused", "VOID", "NUL"),
        ("simulated", "SIMULATED", "SIMULÉ"),
        ("audited", "DEMONSTRATION", "DÉMONSTRATION"),
    ],
)
def test_what_must_not_be_quoted_is_marked_in_capitals_on_top_and_on_each_plot(
    kind: str, english: str, french: str
) -> None:
    text = made(kind)
    for lang, word in (("en", english), ("fr", french)):
        mine = article(text, lang)
        assert word in mine[: mine.index("<h2>")]
        captions = re.findall(r"<figcaption>(.*?)</figcaption>", mine)
        assert captions
        assert all(word in caption for caption in captions)
    assert english not in made("honest")


def test_a_void_ratio_is_struck_out_and_named_void() -> None:
    mine = article(made("refused"), "en")
    struck = re.sub(r' data-head="[^"]*"', "", mine)
    assert '<s>2.00x</s></td><td class="n"><s>1.98-2.02</s></td><td><span class="word w-void">VOID</span>' in struck


def test_a_simulated_lane_gets_no_verdict() -> None:
    text = made("simulated")
    assert '<div class="lead w-simulated">' in text
    assert [len(re.findall("SIMUL", said)) for said in re.findall(r'<div class="lead .*?</div>', text, re.DOTALL)] == [
        1,
        1,
    ]
    row = re.search(r"<tr><th scope=\"row\">ONNX Runtime <span class=\"word w-simulated\">SIMULATED.*?</tr>", text)
    assert row
    assert "w-none" in row[0]
    assert not any(f"w-{word}" in row[0] for word in ("faster", "slower", "equivalent"))


def test_headings_go_down_one_step_at_a_time_and_tables_name_their_rows_and_columns() -> None:
    text = made("audited")
    for lang in ("en", "fr"):
        levels = [int(level) for level in re.findall(r"<h(\d)", article(text, lang))]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after - before <= 1 for before, after in zip(levels, levels[1:]))
    tree = Tree(text)
    assert {a.get("scope") for a in tree.all("th")} == {"row", "col"}
    assert text.count("<table") == text.count("<caption") > 0
    assert text.count("<svg") == text.count("<title id=") == text.count("<desc id=") > 0


def test_every_trial_is_drawn() -> None:
    mine = article(made("honest"), "en")
    dots = re.findall(r'class="dots" d="([^"]*)"', mine)
    assert [path.count("h0") for path in dots] == [5, 5, 5]


def test_the_audit_is_there_with_figures_and_advice() -> None:
    mine = article(made("audited"), "en")
    assert "parity.absent" in mine
    assert "Run the judge where torch and transformers are" in mine
    assert "Not audited" in article(made("honest"), "en")


def test_a_page_of_many_cells_stays_under_a_megabyte_and_says_what_it_left_out() -> None:
    text = document.render(reports.many(120), "en")
    assert len(text.encode()) < document.LIMIT
    left = re.search(r"(\d+) more cells are in the table above", text)
    assert left
    mine = article(text, "en")
    assert int(left[1]) + mine.count("<h3>Lanes</h3>") == 120


def test_the_command_runs_the_same_settings_again() -> None:
    comparison = reports.honest(command="bash scripts/bench_local.sh --new-tokens 64")
    local = {name: value for name, value in defaults_of("local").items() if name in comparison.settings}
    comparison.settings |= local | {"NEW_TOKENS": [64], "BATCH_SIZES": [1, 4], "PROMPTS_FILE": "my p.txt"}
    comparison.settings |= {"DATA_DIR": "/home/me/data"}
    assert rerun.again(comparison) == (
        "BATCH_SIZES=1,4 PROMPTS_FILE='my p.txt' bash scripts/bench_local.sh --new-tokens 64"
    )


@pytest.mark.parametrize(
    ("command", "model", "length", "again"),
    [
        ("bash scripts/bench_local.sh", "smollm2", 64, "{}"),
        ("bash scripts/bench_local.sh --quick", "demo", 64, "{}"),
        ("bash scripts/bench_local.sh --quick", "smollm2", 64, "MODEL_NAME=smollm2 {}"),
        ("python3 -m trtbench.bench --local --quick", "demo", 64, "{}"),
        # What is the general default is not that of the script.
        ("bash scripts/bench_local.sh", "smollm2", 128, "PROMPT_LENGTHS=128 {}"),
        ("bash scripts/run_all.sh", "smollm2", 128, "MODEL_NAME=smollm2 {}"),
    ],
)
def test_the_command_names_what_its_own_defaults_are_not(command: str, model: str, length: int, again: str) -> None:
    comparison = reports.honest(command=command)
    defaults = defaults_of("quick" if "--quick" in command else "local" if "local" in command else "")
    comparison.settings |= {name: value for name, value in defaults.items() if name in comparison.settings}
    comparison.settings |= {"MODEL_NAME": model, "PROMPT_LENGTHS": [length]}
    assert rerun.again(comparison) == again.format(command)


def test_text_from_outside_is_put_on_one_line_and_cut() -> None:
    assert plain("a\n\tb\r\x00c") == "a b \ufffdc"
    assert plain("x" * 1000, 10) == "xxxxxxxxxx… (+990)"
    assert plain("word " * 10_000, 8) == "word wor… (+49992)"
    assert safe("12\u202f345,6") == "12\u202f345,6"
    assert plain("\u05e9\u05dc\u05d5\u05dd") == "\u05e9\u05dc\u05d5\u05dd"


def filled(template: str, **values: object) -> str:
    return templates.environment().from_string(template).render(**values)


# As text, in an attribute, through a macro, out of a block that is kept, and around the part that a macro made.
PLACES = (
    "{{ x }}",
    '<td title="{{ x }}">',
    "{% macro twice(it) %}<i>{{ it }}</i>{% endmacro %}{{ twice(x) }}",
    "{% set kept %}<i>{{ x }}</i>{% endset %}{{ kept }}",
    "{% macro around() %}<i>{{ caller() }}</i>{% endmacro %}{% call around() %}{{ x }}{% endcall %}",
    '{{ "<i>" ~ x }}',
    '{{ [x, "<i>"] | join("&") }}',
    "{{ x | upper }}",
    '{% from "parts.html.jinja" import word %}{{ word(x, x) }}',
)


@pytest.mark.parametrize("place", PLACES)
def test_whatever_a_template_shows_is_escaped_and_made_safe(place: str) -> None:
    text = filled(place, x="<B>&\"'\x1b\u202e\n9")
    assert "&lt;B&gt;&amp;&#34;&#39;\ufffd\ufffd 9" in text
    assert "<B>" not in text
    assert "\n" not in text


def test_numbers_of_a_drawing_have_two_digits_at_most() -> None:
    assert filled("{{ a }} {{ b }} {{ c }} {{ d }}", a=380.0, b=1 / 3, c=0.5, d=100) == "380 0.33 0.5 100"


@pytest.mark.parametrize(
    "wrong", ["{{ nowhere }}", "{{ x.nowhere }}", '{{ "a" ~ nowhere }}', "{% if nowhere %}{% endif %}"]
)
def test_a_name_that_does_not_exist_ends_the_making_of_the_page(wrong: str) -> None:
    with pytest.raises(UndefinedError):
        filled(wrong, x={})


def test_no_template_and_no_module_of_the_page_lets_markup_through() -> None:
    folder = templates.FOLDER
    sources = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir() if path.is_file()}
    drawn = {name: text for name, text in sources.items() if name.endswith(".jinja")}
    assert set(drawn) == {"page.html.jinja", "parts.html.jinja", "plots.html.jinja"}
    for name, text in drawn.items():
        assert not re.search(r"\|\s*(safe|forceescape|tojson|xmlattr)\b|Markup|autoescape|__html__", text), name
        assert not re.search(r"=\{[{%]", text), f"{name}: an attribute without quotes"
    python = {name: text for name, text in sources.items() if name.endswith(".py")}
    assert [name for name, text in python.items() if "Markup(" in text] == ["templates.py"]
    assert sum(text.count("Markup(") for text in python.values()) == 1
    for name, text in python.items():
        assert not re.search(r"</?[a-z]+\d?[ >]", text), f"{name}: a tag in a string"


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_on_the_page_steers_the_direction_of_writing_or_a_terminal(kind: str) -> None:
    wrong = {c for c in made(kind) if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Co", "Cs", "Cn")}
    assert not wrong


def test_the_interval_of_a_lane_is_that_of_its_geometric_mean() -> None:
    # t(0.975, 2) = 4.303; logs -0.1, 0, 0.1 have s = 0.1
    low, high = spread.span([100 * 2.718281828459045**x for x in (-0.1, 0.0, 0.1)]) or (0.0, 0.0)
    assert low == pytest.approx(100 / 1.28201, rel=1e-4)
    assert high == pytest.approx(100 * 1.28201, rel=1e-4)
    assert spread.span([1.0, 2.0]) is None


@pytest.mark.parametrize(("top", "last"), [(1.0, 1.0), (103.0, 100.0), (0.037, 0.03), (9_999.0, 8_000.0)])
def test_ticks_are_round_and_reach_the_end(top: float, last: float) -> None:
    found = scale.ticks(top)
    assert found[0] == 0
    assert found[-1] == pytest.approx(last)
    assert 3 <= len(found) <= 6


@pytest.mark.parametrize(
    ("end", "english", "french"),
    [
        (12.0, ["0", "2.5", "5.0", "7.5", "10.0"], ["0", "2,5", "5,0", "7,5", "10,0"]),
        (5000.0, ["0", "1,000", "2,000", "3,000", "4,000", "5,000"], None),
        (0.0012, ["0", "0.00025", "0.00050", "0.00075", "0.00100"], None),
    ],
)
def test_the_figures_of_an_axis_are_what_they_stand_at(
    end: float, english: list[str], french: list[str] | None
) -> None:
    assert scale.labels(scale.ticks(end), ENGLISH) == english
    assert french is None or scale.labels(scale.ticks(end), FRENCH) == french


def test_decode_is_what_the_prefill_leaves_of_the_whole() -> None:
    mine = article(made("honest"), "en")
    phases = mine[mine.index("<h3>Where the time goes</h3>") :]
    row = re.search(r'<th scope="row">PyTorch eager</th>(.*?)</tr>', phases)
    assert row
    assert re.findall(r'<td class="n"[^>]*>([\d.]+)', row[1])[:2] == ["10.00", "90.00"]


def test_an_overview_that_was_cut_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = "cells are in the CSV (compare.py --format csv)"
    assert sentence not in document.render(reports.many(4), "en")
    monkeypatch.setattr("trtbench.report.page.article.OVERVIEW", 2)
    mine = article(document.render(reports.many(4), "en"), "en")
    assert f"2 more {sentence}" in mine
    assert mine[: mine.index("<h3>")].count("<tr>") == 1 + 2  # the head, and a line a cell


def test_several_cells_stand_in_one_plot_of_throughput_against_latency() -> None:
    comparison = reports.many(3)
    points = sum(len(row.figures) for row in comparison.cells)
    found = re.findall(r'<circle class="spot"', article(document.render(comparison, "en"), "en"))
    assert len(comparison.cells) > 1
    assert len(found) == points
    comparison.cells = comparison.cells[:1]
    assert '<circle class="spot"' not in document.render(comparison, "en")


def test_what_the_audit_refuses_or_a_stand_in_made_is_struck_out_in_tables_and_plots_and_no_other_lane_wears_a_badge() -> (
    None
):
    for kind in ("refused", "simulated"):
        mine = article(made(kind), "en")
        lanes = mine[mine.index("<h3>Lanes</h3>") : mine.index("<h3>Where the time goes</h3>")]
        rows = re.findall(r'<tr><th scope="row">(.*?)</tr>', lanes, re.DOTALL)
        struck = ["<s>50.00</s>" in row for row in rows]
        assert struck == [False, True, False], kind
        assert lanes.count('class="dots refused"') == lanes.count('class="decode refused"') == 1
        assert lanes.count("struck") == 2
        assert not re.search("w-(faster|slower|equivalent)", lanes)
    assert "refused" not in article(made("honest"), "en")
    assert "w-faster" in article(made("honest"), "en")


@pytest.mark.parametrize(("kind", "weak"), [("honest", False), ("audited", True), ("refused", False), ("uneven", True)])
def test_a_weak_verdict_and_a_demonstration_look_weak_and_carry_their_number(kind: str, weak: bool) -> None:
    lead = re.search(r'<div class="lead ([^"]*)">(.*?)</div>', article(made(kind), "en"), re.DOTALL)
    assert lead
    assert ("weak" in lead[1].split()) == weak
    number = re.search(r'<span class="number">(.*?)</span>', lead[2])
    assert (number and number[1]) == {"honest": "2.00x", "audited": "2.00x", "uneven": "80.0x", "refused": None}[kind]


def test_numbers_of_trials_are_said_once() -> None:
    mine = article(made("honest"), "en")
    assert mine.count("5 trials x 2 iterations") == 1
    assert "5 trials x 2 iterations of each lane" in mine


def test_a_figure_stands_beside_its_marks_beyond_a_ceiling_and_where_it_has_no_room_at_the_edge() -> None:
    def place(figure: float, limit: float | None = None) -> plot.Value:
        return plot._value(figure, [figure], 1000.0, ENGLISH, limit)

    beside = place(200.0)
    assert (beside.text, beside.anchor) == ("200.0", "start")
    assert place(200.0, 900.0) == beside
    assert place(200.0, 250.0).x > beside.x + 10  # the ceiling would go through it
    wide = place(960.0)
    assert (wide.x, wide.anchor) == (plot.RIGHT, "end")


@pytest.mark.parametrize("kind", ["refused", "simulated"])
def test_all_that_follows_from_a_refused_time_is_struck_out(kind: str) -> None:
    mine = article(made(kind), "en")
    times = mine[mine.index("<h3>Where the time goes</h3>") : mine.index("<h3>One-off costs</h3>")]
    rows = re.findall(r'<tr><th scope="row">(.*?)</tr>', times, re.DOTALL)
    assert [row.count("<s>") for row in rows] == [0, 4, 0]  # prefill with its interval, decode, time per token
    assert "<s>-</s>" not in mine
    lanes = mine[mine.index("<h3>Lanes</h3>") : mine.index("<h3>Where the time goes</h3>")]
    struck = [
        "<s>2.00x</s>" in row and "<s>1.98-2.02</s>" in row for row in re.findall("<tr>(.*?)</tr>", lanes, re.DOTALL)
    ]
    assert struck == [False, False, True, False]
