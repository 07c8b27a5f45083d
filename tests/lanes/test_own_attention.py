"""Families whose attention is not SDPA over all earlier positions: the PyTorch lane and the judge run them as transformers does
by default, and OpenVINO's graph looks where the model looks, or is refused with a sentence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import factory
from command import Bench
from families import FAMILIES, VOCABULARY, WINDOW, write_family
from trtbench.errors import Unsupported, reason_of
from trtbench.lanes.lane import Lane, Plan, create
from trtbench.model import files, finding
from trtbench.records.trial import Sampling
from trtbench.settings import lanes
from trtbench.settings.cells import Cell
from trtbench.settings.knobs import ROOT

LONG, SHORT = (3 * WINDOW, 8), (WINDOW // 2, 4)
# What transformers itself takes for families without SDPA; the others have it.
EAGER_ONLY = ("gpt_oss", "bloom", "mpt", "gptj", "codegen", "gpt_neo", "xglm", "mamba")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("families")


def model_of(family: str, models: Path, tokenizer: Path) -> Path:
    folder = models / family.replace(" ", "-")
    return folder if folder.is_dir() else write_family(family, folder, tokenizer)


@pytest.fixture(autouse=True)
def _converters_find_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "scripts"))


def lane_of(name: str, folder: Path, value: str = "", *sizes: tuple[int, int]) -> Lane:
    if lanes.missing(name, "cpu") is not None:
        pytest.skip(f"{name} {lanes.missing(name, 'cpu')}")
    cells = tuple(
        Cell(batch=1, prompt_length=prompt, new_tokens=new, precision="float32") for prompt, new in sizes or (LONG,)
    )
    return create(name)(
        Plan(
            model=folder,
            model_digest=finding.digest(folder, folder.parent / "cache"),
            precision="float32",
            device="cpu",
            threads=1,
            sampling=Sampling(seed=5),
            cells=cells,
            cache=folder.parent / "cache",
            value=value,
        )
    )


def prompt_of(length: int) -> list[int]:
    return [(37 * i + 11) % (VOCABULARY - 8) + 8 for i in range(length)]


@pytest.mark.ngc
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_runs_with_its_own_attention_and_is_judged(family: str, models: Path, tiny_model: Path) -> None:
    import torch

    from trtbench.referee.judge.scoring import Referee

    folder = model_of(family, models, tiny_model)
    lane = lane_of("pytorch-eager", folder)
    lane.load()
    (ids,) = lane.generate([prompt_of(LONG[0])], LONG[1])
    assert len(ids) == LONG[1]
    said = lane.statement().attention
    assert said in ("eager", "sdpa")
    assert said == "eager" or family not in EAGER_ONLY
    model = factory.model(parameters=files.parameters(folder))
    referee = Referee(folder, model, "cpu", 1)
    with torch.inference_mode():
        logits = referee.logits(prompt_of(LONG[0]), ids)
    picked = logits.gather(1, torch.tensor(ids)[:, None])[:, 0]
    assert bool((picked >= logits.amax(1) - 0.01 * logits.std(1)).all())


SIGHTS = {
    "llama": [None],
    "mistral": [WINDOW],
    "phi3": [WINDOW],
    "qwen2": [None, WINDOW],
    "gemma2": [None, WINDOW],
    "gemma3_text": [None, WINDOW],
    "cohere2": [None, WINDOW],
    "gpt_oss": [None, WINDOW],
    "bloom": [None],
    "mpt": [None],
    "falcon": [None],
    "xglm": [None],
}


def loaded(family: str, models: Path, tokenizer: Path) -> object:
    import torch

    from trtbench.model.torch_loading import load_model

    return load_model(model_of(family, models, tokenizer), "float32", "cpu", torch.get_num_threads())


@pytest.mark.parametrize("family", SIGHTS)
def test_what_each_layer_may_look_at_is_asked_of_the_model(family: str, models: Path, tiny_model: Path) -> None:
    from trtbench.lanes.openvino.masks import attention_of

    attention = attention_of(loaded(family, models, tiny_model))
    windows = {sight.window for sight in attention.sights.values()}
    assert sorted(windows, key=str, reverse=True) == sorted(SIGHTS[family], key=str, reverse=True)
    assert attention.window == (WINDOW if WINDOW in windows else None)
    assert len(attention.ports) == 2


@pytest.mark.parametrize(
    ("family", "reason"),
    [
        ("mamba", "layers that keep something other than keys and values"),
        ("falcon with biases for distance", "neither causal nor a sliding window"),
    ],
)
def test_other_attention_is_refused_with_a_sentence(family: str, reason: str, models: Path, tiny_model: Path) -> None:
    from trtbench.lanes.openvino.masks import attention_of

    with pytest.raises(Unsupported, match=reason):
        attention_of(loaded(family, models, tiny_model))


def test_a_window_that_moves_in_blocks_is_refused(
    models: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunked attention looks like a window from one position; from the next it does not."""
    import torch

    from trtbench.lanes.openvino import masks

    model = loaded("llama", models, tiny_model)

    def chunked(past: int, length: int) -> torch.Tensor:
        columns, rows = torch.arange(past + length)[None, :], torch.arange(past, past + length)[:, None]
        return ((columns <= rows) & (columns >= rows // WINDOW * WINDOW))[None, None]

    def given(model: object, past: int, length: int) -> object:
        return {"layer": chunked(past, length)}, {0: ((2, 16), (2, 16))}

    monkeypatch.setattr(masks, "given", given)
    with pytest.raises(Unsupported, match="the attention mask of its layer is neither"):
        masks.attention_of(model)


def answer(folder: str, value: str) -> None:
    """Print why OpenVINO's lane refuses the long and the short cell, and the ids that it gives all the same; or why it refuses the
    model."""
    lane = lane_of("openvino", Path(folder), value, LONG, SHORT)
    lane.prepare()
    told = []
    for cell in lane.plan.cells:
        try:
            if not told:
                lane.load()
            lane.begin(cell)
            told.append("")
        except Unsupported as refusal:
            told.append(str(refusal))
    try:
        ids = [lane.generate([prompt_of(prompt)], new) for prompt, new in (LONG, SHORT)]
    except Exception:  # of a model that has no such form
        ids = []
    print(json.dumps([told, ids]))


def answered(folder: Path, value: str) -> tuple[list[str], list[list[list[int]]]]:
    """The same from a process of its own: the engine's threads stay as long as their process does, and don't bear the limits
    that other tests put on theirs."""
    asked = f"import test_own_attention; test_own_attention.answer({str(folder)!r}, {value!r})"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(Path(__file__).parent)])}
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    told, ids = json.loads(done.stdout.splitlines()[-1])
    return told, ids


@pytest.mark.parametrize(("family", "paged"), [("gemma3_text", WINDOW), ("gemma2", 0)])
def test_openvino_answers_as_transformers_beyond_the_window_or_refuses(
    family: str, paged: int, models: Path, tiny_model: Path
) -> None:
    folder = model_of(family, models, tiny_model)
    reference = lane_of("pytorch-eager", folder)
    reference.load()
    expected = [reference.generate([prompt_of(size[0])], size[1]) for size in (LONG, SHORT)]
    assert answered(folder, "SDPA") == (["", ""], expected)
    (long, short), ids = answered(folder, "PA")
    if not paged:
        assert "paged attention does not compute this" in long and ids == []
        return
    assert f"leaves out this model's sliding window of {paged}" in long and long.endswith(
        f"and this cell has {sum(LONG)}"
    )
    assert short == "" and ids[1] == expected[1]
    assert ids[0] != expected[0]  # else nothing need be refused


def test_a_graph_with_other_logits_is_not_written(
    models: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trtbench.lanes.openvino import export
    from trtbench.lanes.openvino.masks import Sight

    folder = model_of("mistral", models, tiny_model)
    of_sight = export.Decoder.mask_of
    monkeypatch.setattr(export.Decoder, "mask_of", lambda self, sight: of_sight(self, Sight(None)))
    with pytest.raises(Unsupported, match="other logits than transformers for 48 random ids"):
        export.export(folder, tmp_path, "float32")
    assert not list(tmp_path.glob("*.xml"))


@pytest.mark.parametrize(
    ("name", "family", "reason"),
    [
        (
            "onnxruntime",
            "gpt_neox",
            "the model builder of onnxruntime-genai failed: NotImplementedError: .*not currently supported",
        ),
        ("openvino", "mamba", "failed: MambaForCausalLM has layers that keep something other than keys and values"),
        ("openvino", "deepseek_v2", "failed: .*No conversion rule found for operations: aten::histc"),
    ],
)
def test_a_model_that_an_engine_cannot_convert_is_refused_in_the_converter_s_words(
    name: str, family: str, reason: str, models: Path, tiny_model: Path
) -> None:
    lane = lane_of(name, model_of(family, models, tiny_model))
    with pytest.raises(Unsupported, match=reason) as refused:
        lane.prepare()
    assert len(str(refused.value)) < 400 and "\n" not in str(refused.value)
    lane.close()


TRACEBACK = 'Traceback (most recent call last):\n  File "x.py", line 1, in <module>\n    f()\n    ^^^\n'


@pytest.mark.parametrize(
    ("said", "status", "reason"),
    [
        ("reading\nthe disk is full.\n\n", 1, "the disk is full"),
        (f"noise\n{TRACEBACK}ValueError: none of:\n(1) this\n(2) that\n", 1, "ValueError: none of: (1) this (2) that"),
        (f"{TRACEBACK}KeyError: 'a'\n\nDuring handling\n\n{TRACEBACK}NotImplementedError: not supported.\n", 1,
         "NotImplementedError: not supported"),
        ("50%|#####     | 1/2\r100%|##########| 2/2\nno room\n", 1, "no room"),
        (f"{TRACEBACK}RuntimeError: \x1b[31mred\x1b[0m\n", 1, "RuntimeError: \ufffd[31mred\ufffd[0m"),
        ("", 3, "it ended with status 3 and said nothing"),
        ("loading\n", -9, "it was ended by SIGKILL"),
    ],
)  # fmt: skip
def test_a_converter_s_reason_is_its_last_exception_or_line(said: str, status: int, reason: str) -> None:
    assert reason_of(said, status) == reason


def test_a_long_reason_loses_its_middle() -> None:
    reason = reason_of(f"begin {'x' * 5000} end\n", 1)
    assert reason.startswith("begin x") and reason.endswith("x end") and " … " in reason and len(reason) < 310


def test_a_run_of_a_family_without_sdpa_states_its_attention_and_is_judged(
    models: Path, tiny_model: Path, tmp_path: Path
) -> None:
    """BLOOM has its own attention alone: real trials and a real judge."""
    bench = Bench(model_of("bloom", models, tiny_model), tmp_path / "data")
    without_toys = str(ROOT / "scripts")  # they are not judged
    done = bench(LANES="pytorch-eager", TRIALS="1", PROMPT_LENGTHS="24", NEW_TOKENS="4", PYTHONPATH=without_toys)
    assert done.returncode == 0, done.stdout + done.stderr
    (trial,) = bench.trials().values()
    assert json.loads(trial)["statement"]["attention"] == "eager"
    judged = json.loads(next(bench.data.rglob("judge.json")).read_text())
    assert judged["failure"] is None
    assert [lane["near"] for lane in judged["lanes"]] == [1.0]
