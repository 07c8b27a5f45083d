"""A lane beside its ceiling, in every format: never a share above 100 %, no line that a bar crosses, and what the shares mean."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import matplotlib.axes
import pytest

import factory
import reports
from trtbench.comparison.comparing import compare
from trtbench.comparison.result import Comparison
from trtbench.records.run import Absent
from trtbench.records.trial import Failure
from trtbench.report import ceiling, chart, csv_table, markdown, text
from trtbench.report.language import ENGLISH, LANGUAGES, Language
from trtbench.report.page import document

CACHED = {"en": "fits in the cache: no memory ceiling", "fr": "tient dans le cache : pas de plafond mémoire"}
ABOVE = {
    "nominal": {"en": "above the ceiling (1.26x of it)", "fr": "au-dessus du plafond (1,26 fois)"},
    "measured": {"en": "above the measured ceiling (1.26x of it)", "fr": "au-dessus du plafond mesuré (1,26 fois)"},
}


def plain(rendered: str) -> str:
    """With plain spaces, none of them double, and without Markdown's backslashes."""
    return re.sub(r"\s+", " ", rendered.replace("\u00a0", " ").replace("\u202f", " ").replace("\\", ""))


def page(comparison: Comparison, folder: Path) -> str:
    """The page, which holds both languages."""
    document.write(folder / "page.html", comparison, "en")
    return (folder / "page.html").read_text(encoding="utf-8")


def with_ceilings(*ceilings: tuple[float | None, str | None]) -> Comparison:
    """PyTorch eager (80 tok/s), ONNX Runtime (160) and OpenVINO (88.9), each with its ceiling and basis."""
    comparison = reports.honest()
    for f, (rate, basis) in zip(comparison.cells[0].figures, ceilings):
        f.ceiling_tok_s, f.ceiling_basis, f.mbu = rate, basis, 0.5 if basis in ("nominal", "measured") else None
    return comparison


def shares(rendered: str) -> list[float]:
    return [float(found.replace(",", ".")) for found in re.findall(r"(\d+[.,]\d) ?%", plain(rendered))]


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("rate", [None, 9e6])
def test_what_fits_in_the_cache_is_said_in_place_of_a_share(lang: str, rate: float | None, tmp_path: Path) -> None:
    comparison = with_ceilings((rate, "cached"), (rate, "cached"), (rate, "cached"))
    table = plain(markdown.render(comparison, lang))
    assert table.count(f"| {CACHED[lang]} |") == 3
    assert plain(text.render(comparison, lang)).count(CACHED[lang]) == 3
    assert plain(page(comparison, tmp_path)).count(CACHED[lang]) == 3 * 3  # table, plot, what is spoken
    assert "9,000,000" not in text.render(comparison, lang)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("basis", ABOVE)
def test_what_is_above_its_ceiling_is_said_in_words(lang: str, basis: str, tmp_path: Path) -> None:
    """The fastest trial of ONNX Runtime takes 49.5 ms for 8 tokens: 1.26 times 128 tok/s."""
    comparison = with_ceilings((200.0, basis), (128.0, basis), (200.0, basis))
    for rendered in (text.render(comparison, lang), markdown.render(comparison, lang), page(comparison, tmp_path)):
        assert ABOVE[basis][lang] in plain(rendered)
    for f in comparison.cells[0].figures:
        assert f.ceiling_tok_s != 128.0 or ceiling.share(f) is None
    spoken = markdown.render(comparison, lang)
    assert [s for s in shares(spoken.split("###")[1].split("\n\n")[1]) if s > 100] == []


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("basis", ["nominal", "measured"])
def test_a_share_and_mbu_are_explained_where_they_stand(lang: str, basis: str, tmp_path: Path) -> None:
    comparison = with_ceilings((200.0, basis), (200.0, basis), (None, None))
    say = LANGUAGES[lang]
    share, mbu = plain(say(f"ceiling_{basis}")), plain(say("explained.mbu"))
    block = plain(text.render(comparison, lang))
    assert share in block and mbu in block
    assert block.index(share) < block.index("MBU")
    assert share in plain(markdown.render(comparison, lang))
    both = plain(page(comparison, tmp_path)).replace("&#39;", "'")
    assert share in both and mbu in both
    assert plain(say("mfu_note")) not in block  # there is none to explain


def test_the_text_shows_the_ceiling_and_the_share_of_it() -> None:
    """80 of 500 tok/s are 16 %; there is no column for what no lane has."""
    lines = text.render(with_ceilings((500.0, "measured"), (500.0, "measured"), (None, "cached")), "en").splitlines()
    at = next(i for i, line in enumerate(lines) if "tok/s max" in line)
    assert lines[at].split() == ["tok/s", "max", "share", "MBU"]
    assert lines[at + 1].split() == ["PyTorch", "eager", "500.0", "16.0%", "50.0%"]
    assert lines[at + 3].split() == ["OpenVINO", *CACHED["en"].split()]


def test_a_run_whose_ceiling_is_not_known_says_nothing_of_one(tmp_path: Path) -> None:
    comparison = with_ceilings((None, None), (None, None), (None, None))
    assert "CEILING" not in text.render(comparison, "en")
    assert "ceiling (" not in page(comparison, tmp_path)
    assert ceiling.notes(comparison.cells[0].figures, comparison, ENGLISH) == []


@pytest.mark.parametrize(
    ("rate", "basis"),
    [
        (500.0, "nominal"),
        (161.0, "measured"),
        (128.0, "measured"),
        (128.0, "nominal"),
        (None, "cached"),
        (9.0, "cached"),
    ],
)
def test_no_bar_and_no_trial_crosses_a_line_of_the_chart(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rate: float | None, basis: str
) -> None:
    drawn: dict[str, list[tuple[float, float]]] = {"bar": [], "line": []}
    told: list[str] = []
    barh, plot, annotate = matplotlib.axes.Axes.barh, matplotlib.axes.Axes.plot, matplotlib.axes.Axes.annotate

    def bars(self: Any, y: float, width: float, **more: Any) -> Any:
        drawn["bar"].append((y, width))
        return barh(self, y, width, **more)

    def lines(self: Any, xs: list[float], ys: list[float], **more: Any) -> Any:
        drawn["line"].append((sum(ys) / 2, xs[0]))
        return plot(self, xs, ys, **more)

    def words(self: Any, text: str, *arguments: Any, **more: Any) -> Any:
        told.append(text)
        return annotate(self, text, *arguments, **more)

    monkeypatch.setattr(matplotlib.axes.Axes, "barh", bars)
    monkeypatch.setattr(matplotlib.axes.Axes, "plot", lines)
    monkeypatch.setattr(matplotlib.axes.Axes, "annotate", words)
    comparison = with_ceilings((rate, basis), (rate, basis), (rate, basis))
    chart.write(tmp_path / "chart.png", comparison, "en")
    assert len(drawn["bar"]) == 6
    for place, x in drawn["line"]:
        lane = comparison.cells[0].figures[round(place)]
        assert x > max(8 / ms * 1e3 for ms in lane.latency_trials)
    # Every lane without a line is told of in words.
    lined = {round(place) for place, _ in drawn["line"]}
    assert len(drawn["line"]) == len(lined)
    worded = [t for t in told if "ceiling" in t]
    assert len(worded) + len(lined) == (1 if rate == 500.0 else 3), "one that is the same for all is told once"


def test_the_plot_of_the_page_draws_no_line_through_a_trial() -> None:
    from trtbench.report.page.plot import rate_plot

    comparison = with_ceilings((200.0, "measured"), (128.0, "measured"), (None, "cached"))
    plot = rate_plot(comparison.cells[0], comparison, ENGLISH)
    assert [lane.ceiling is not None for lane in plot.lanes] == [True, False, False]  # type: ignore[union-attr]
    assert plot.ceiling
    cached = with_ceilings((None, "cached"), (None, "cached"), (None, "cached"))
    assert not rate_plot(cached.cells[0], cached, ENGLISH).ceiling


def test_the_csv_says_what_its_ceiling_is() -> None:
    rendered = csv_table.render(with_ceilings((None, "cached"), (500.0, "measured"), (None, None)))
    head, *lines = (line.split(",") for line in rendered.splitlines())
    columns = [head.index("ceiling_tok_s"), head.index("ceiling_basis")]
    assert [[line[i] for i in columns] for line in lines] == [["", "cached"], ["500", "measured"], ["", ""]]


# Two engines and no PyTorch lane


def two_engines() -> Comparison:
    means = {lane: ms for lane, ms in reports.TRIALS.items() if lane != "pytorch-eager"}
    return compare(factory.run(list(means), headline="onnxruntime"), factory.trials(means))


@pytest.mark.parametrize("say", LANGUAGES.values(), ids=list(LANGUAGES))
def test_without_a_pytorch_lane_every_format_says_why_nothing_is_compared(
    say: Language, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    comparison, wanted = two_engines(), plain(say("no_base"))
    assert "LANES" in wanted
    assert wanted in plain(text.render(comparison, say.code))
    assert wanted in plain(markdown.render(comparison, say.code))
    assert wanted in plain(page(comparison, tmp_path)).replace("&#39;", "'")
    titles: list[str] = []
    monkeypatch.setattr(matplotlib.figure.Figure, "suptitle", spied(matplotlib.figure.Figure.suptitle, titles))
    chart.write(tmp_path / "chart.png", comparison, say.code)
    assert wanted in plain(titles[0])


@pytest.mark.parametrize("say", LANGUAGES.values(), ids=list(LANGUAGES))
def test_a_pytorch_lane_that_failed_is_not_to_be_added(say: Language) -> None:
    means = {lane: ms for lane, ms in reports.TRIALS.items() if lane != "pytorch-eager"}
    absent = Absent(lane="pytorch-eager", precision="float32", failure=Failure(phase="load", reason="no room"))
    run = factory.run(list(means), headline="onnxruntime", absent=[absent])
    rendered = plain(markdown.render(compare(run, factory.trials(means)), say.code))
    assert plain(say("no_base_failed")) in rendered
    assert plain(say("no_base")) not in rendered


def spied(real: Any, titles: list[str]) -> Any:
    def suptitle(self: Any, title: str, **more: Any) -> Any:
        titles.append(title)
        return real(self, title, **more)

    return suptitle


def test_programs_are_told_too() -> None:
    from trtbench.report import pytorch_json

    comparison = two_engines()
    head, *lines = (line.split(",") for line in csv_table.render(comparison).splitlines())
    columns = [head.index("verdict"), head.index("verdict_reason"), head.index("speedup")]
    assert [[line[i] for i in columns] for line in lines] == [["none", "no_pytorch_lane", ""]] * 2
    extra = [record["benchmark"]["extra_info"] for record in pytorch_json.records(comparison)]
    assert {(e.get("verdict"), e.get("verdict_reason")) for e in extra} == {("none", "no_pytorch_lane")}
