"""Several cards: said by an option or by the file, told in a sentence, and never so many that anything is possible."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_fits import FP16, LLAMA_70B, RTX_4090, _config

import trtbench.claims
import trtbench.possible
from trtbench.errors import UserError
from trtbench.referee import fits
from trtbench.referee.claim import Claim, examine
from trtbench.referee.claim_formats import table
from trtbench.report.claim_text import told
from trtbench.report.language import ENGLISH

SAMPLES = Path(__file__).parent / "claim_samples"


def written(tmp_path: Path, content: Any) -> Path:
    file = tmp_path / "claims.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def sample(name: str) -> Any:
    return json.loads((SAMPLES / name).read_text(encoding="utf-8"))


def test_everything_that_bounds_grows_with_the_cards() -> None:
    eight = fits.together(RTX_4090, 8)
    fields = ("bandwidth", "peak", "cache", "memory", "link", "cards")
    assert [getattr(eight, name) / getattr(RTX_4090, name) for name in fields] == [8] * 6
    fit = fits.fit(LLAMA_70B, FP16, fits.together(RTX_4090, 2), 1, 0, 0)
    assert fit is not None and not fit.whole and fit.machines == 6  # 138 GB on cards of 25.8 GB


def test_possible_of_several_cards(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    claim = ["--model", _config(tmp_path), "--gpu", "H100 SXM", "--tokens-per-s", "150"]
    assert trtbench.possible.main(claim) == 1
    assert trtbench.possible.main([*claim, "--cards", "8"]) == 0
    said = capsys.readouterr().out
    assert ", 8 of them together." in said and "GB/s of 8 cards together that allows" in said
    assert "the 8 cards hold" in said
    assert trtbench.possible.main([*claim, "--cards", "2"]) == 1
    for number, why in (("0", "at least 1"), ("1025", "more than 1,024 cards"), ("many", "whole number")):
        with pytest.raises(UserError, match=why):
            trtbench.possible.main([*claim, "--cards", number])
    of_two = examine(LLAMA_70B, FP16, fits.together(RTX_4090, 2), Claim(1, 0, 0, None, 1))
    assert "the 2 cards hold" in told(ENGLISH, of_two.lines[2])


SERVED = {
    "date": "20250602",
    "duration": 52.3,
    "completed": 200,
    "total_input_tokens": 25600,
    "total_output_tokens": 40000,
}
SERVED |= {"max_concurrency": 1, "output_throughput": 764.8 / 8, "mean_e2el_ms": 2100.0}
SERVED |= {"duration": 40000 / SERVED["output_throughput"]}  # type: ignore[operator]


@pytest.mark.parametrize("name", ["vllm", "guidellm.json", "aiperf.json"])
def test_tools_that_do_not_say_their_cards(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """70 B in float16 from eight H100: on one of them it is impossible, and the option says that it was eight."""
    content = SERVED if name == "vllm" else sample(name)
    claim = [str(written(tmp_path, content)), "--model", _config(tmp_path), "--gpu", "H100 SXM", "--precision", "fp16"]
    assert trtbench.claims.main(claim) == 1
    assert "where the card holds" in capsys.readouterr().out
    assert trtbench.claims.main([*claim, "--cards", "8"]) == 0
    assert ", 8 of them together." in capsys.readouterr().out


def test_the_devices_of_optimum_benchmark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = sample("optimum_benchmark.json")
    claim = [str(written(tmp_path, report)), "--model", _config(tmp_path), "--gpu", "H100 SXM"]
    assert trtbench.claims.main(claim) == trtbench.claims.main([*claim, "--cards", "8"]) == 1
    assert "1 row of 1 card, as the file says" in capsys.readouterr().out
    report["config"]["backend"]["device_ids"] = "0,1,2,3,4,5,6,7"
    written(tmp_path, report)
    assert trtbench.claims.main(claim) == 0


def test_what_a_file_says_of_its_cards_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = {"batch": 1, "new_tokens": 200, "latency_ms": 5000, "tok_s": 40}
    card = ["--model", _config(tmp_path), "--gpu", "RTX 4090"]
    assert trtbench.claims.main([str(written(tmp_path, [row])), *card]) == 1
    assert "as the file says" not in capsys.readouterr().out
    assert trtbench.claims.main([str(written(tmp_path, [row | {"tp": 8}, row | {"tp": 8}])), *card]) == 0
    assert "2 rows of 8 cards, as the file says: what one allows counts so many times." in capsys.readouterr().out
    fast = row | {"tp": 8, "latency_ms": 50, "tok_s": 4000}
    assert trtbench.claims.main([str(written(tmp_path, [fast])), *card]) == 1
    assert "float16 weights allow on 8 cards (whole generation)" in capsys.readouterr().out


def test_cards_in_the_files_of_tools(tmp_path: Path) -> None:
    def cards(content: Any) -> list[int | None]:
        return [row.cards for row in table.read(written(tmp_path, content)).rows]

    optimum = sample("optimum_benchmark.json")
    for ids, number in (("0,1,2,3", 4), ([0, 1], 2), ("0", 1), (None, None), ("", None), (0, None)):
        optimum["config"]["backend"]["device_ids"] = ids
        assert cards(optimum) == [number]
    assert cards(SERVED) == [None] and cards(SERVED | {"tensor_parallel_size": "8"}) == [8]
    bench = sample("llama_bench.json")
    assert set(cards([each | {"gpu_info": "RTX 4090, RTX 4090"} for each in bench])) == {2}
    assert set(cards([each | {"gpu_info": ""} for each in bench])) == {None}


@pytest.mark.parametrize(
    "content",
    [
        [{"batch": 1, "new_tokens": 200, "latency_ms": 5000, "tok_s": 40, "tp": 5000}],
        {"world_size": 10**6, "results": [{"batch": 1, "new_tokens": 200, "latency_ms": 5000, "tok_s": 40}]},
        SERVED | {"tp": 9999},
    ],
)
def test_more_cards_than_anybody_has_are_refused(content: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no number of cards; at most 1,024 are"):
        table.read(written(tmp_path, content))
    report = sample("trtllm_bench.json")
    report["world_info"] |= {"world_size": None, "tp_size": 64, "pp_size": 64}
    with pytest.raises(UserError, match="tp_size x pp_size=4,096 is no number of cards"):
        table.read(written(tmp_path, report))
