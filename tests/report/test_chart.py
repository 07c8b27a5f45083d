"""The PNG: its size, and that no bar is drawn without a spread."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import matplotlib.axes
import matplotlib.figure
import pytest

import reports
from trtbench.records.run import Absent
from trtbench.records.trial import Failure
from trtbench.report import chart
from trtbench.settings.lanes import LANES


def size(path: Path) -> tuple[int, int]:
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    return width, height


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Any]]:
    """What is drawn on any axes: bars, intervals, points, lines, texts."""
    found: dict[str, list[Any]] = {}
    for name in ("barh", "errorbar", "scatter", "plot", "annotate"):
        found[name] = []
        real = getattr(matplotlib.axes.Axes, name)

        def spy(self: Any, *arguments: Any, _name: str = name, _real: Any = real, **more: Any) -> Any:
            found[_name].append(arguments)
            return _real(self, *arguments, **more)

        monkeypatch.setattr(matplotlib.axes.Axes, name, spy)
    return found


def test_a_slide_with_a_bar_an_interval_and_all_trials_for_every_lane(tmp_path: Path, drawn: dict[str, Any]) -> None:
    chart.write(tmp_path / "chart.png", reports.honest(), "en")
    assert size(tmp_path / "chart.png") == (1600, 900)
    assert len(drawn["barh"]) == len(drawn["errorbar"]) == len(drawn["scatter"]) == 6
    assert all(len(points) == 5 for points, _ in drawn["scatter"])


def test_no_two_lanes_look_the_same_not_even_one_that_was_just_added(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chart.LOOKS.keys() == LANES.keys()
    first = dict.fromkeys(["a-new-lane"], LANES["vllm"]) | LANES
    monkeypatch.setattr(chart, "LANES", first)
    looks = [chart.look(lane) for lane in first]
    assert len(set(looks)) == len(looks) == len(LANES) + 1
    assert len({hatch for _, hatch in chart.LOOKS.values()}) == len(LANES), "told apart in grey"


def test_lanes_keep_the_colours_that_they_had_in_earlier_versions() -> None:
    lanes = ["pytorch-eager", "pytorch-compile", "pytorch-tuned", "pytorch-triton", "vllm", "onnxruntime", "openvino"]
    lanes += ["tensorrt-engine", "tensorrt-pytorch"]
    colours = ["#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#0072B2", "#D55E00", "#F0E442", "#999999", "#56B4E9"]
    assert [chart.look(lane)[0] for lane in lanes] == colours


def test_two_trials_get_points_and_no_bar(tmp_path: Path, drawn: dict[str, Any]) -> None:
    chart.write(tmp_path / "chart.png", reports.few(), "fr")
    assert drawn["barh"] == drawn["errorbar"] == []
    assert all(len(points) == 2 for points, _ in drawn["scatter"])


def test_a_near_ceiling_is_drawn_and_a_far_one_is_named(tmp_path: Path, drawn: dict[str, Any]) -> None:
    comparison = reports.honest()
    near, far, _ = comparison.cells[0].figures
    near.ceiling_tok_s, far.ceiling_tok_s = 100.0, 5000.0
    chart.write(tmp_path / "chart.png", comparison, "en")
    ends = [arguments[0][0] for arguments in drawn["plot"]]
    # tokens/s of the near one; a latency has no ceiling
    assert ends == pytest.approx([100.0], rel=1e-3)
    assert [text for text, *_ in drawn["annotate"] if "ceiling" in text] == ["ceiling 5,000 tok/s →"]


@pytest.mark.parametrize(
    ("lang", "slow", "wide"),
    [
        ("en", "3,999.9 →", "the interval ends at 2,592.7 →"),
        ("fr", "3\u202f999,9 →", "l\u2019intervalle finit à 2\u202f592,7 →"),
    ],
)
def test_a_slow_lane_and_one_that_spreads_widely_run_out_of_the_plot(
    lang: str, slow: str, wide: str, tmp_path: Path, drawn: dict[str, Any]
) -> None:
    chart.write(tmp_path / "chart.png", reports.uneven(), lang)
    told = [text for text, *_ in drawn["annotate"]]
    assert slow in told
    assert [text for text in told if "→" in text and text != slow][:1] == [wide]
    assert size(tmp_path / "chart.png")[0] == 1600


def test_what_is_no_result_is_struck_out_in_the_picture_too(tmp_path: Path, drawn: dict[str, Any]) -> None:
    chart.write(tmp_path / "chart.png", reports.refused(), "en")
    struck = [text.replace("\u0336", "") for text, *_ in drawn["annotate"] if "\u0336" in text]
    assert struck == ["50.00", "160.0"]
    drawn["annotate"].clear()
    chart.write(tmp_path / "chart.png", reports.honest(), "en")
    assert not any("\u0336" in text for text, *_ in drawn["annotate"])


def test_names_with_dollars_and_signs_of_other_scripts_are_drawn_as_they_are(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    comparison = reports.hostile()
    comparison.model.name = r"$\frac{1}{$ \u6f22\u5b57 模型"
    chart.write(tmp_path / "chart.png", comparison, "en")
    assert size(tmp_path / "chart.png")[0] == 1600
    assert [str(warning.message) for warning in recwarn] == []


def test_cells_beyond_the_first_are_named_and_a_run_of_holes_has_no_axes(tmp_path: Path) -> None:
    chart.write(tmp_path / "many.png", reports.many(9), "en")
    assert size(tmp_path / "many.png")[0] == 1600
    comparison = reports.honest()
    comparison.cells[0].figures.clear()
    comparison.cells[0].against.clear()
    chart.write(tmp_path / "none.png", comparison, "en")
    assert size(tmp_path / "none.png") == (1600, 900)


@pytest.mark.parametrize(
    ("lang", "words"), [("en", "without figures: OpenVINO"), ("fr", "sans chiffres\u00a0: OpenVINO")]
)
def test_a_lane_without_figures_is_named_below_the_plots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lang: str, words: str
) -> None:
    feet: list[str] = []
    real = matplotlib.figure.Figure.supxlabel

    def spy(self: Any, text: str, **more: Any) -> Any:
        feet.append(text)
        return real(self, text, **more)

    monkeypatch.setattr(matplotlib.figure.Figure, "supxlabel", spy)
    chart.write(tmp_path / "chart.png", reports.honest(), lang)
    comparison = reports.honest()
    absent = Absent(lane="openvino", precision="float32", failure=Failure(phase="load", reason="no room"))
    comparison.failed = [absent] * 40
    chart.write(tmp_path / "chart.png", comparison, lang)
    whole, lacking = feet
    assert "chiffres" not in whole and "figures" not in whole and "\n" not in whole
    assert lacking.startswith(whole + "\n") and lacking.endswith(words)
