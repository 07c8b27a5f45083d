"""The contract, the reading of help texts, and what counts as a difference that matters."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from trtbench.engine import contract, plan, tools
from trtbench.engine.contract.comparing import Difference, compare_tool
from trtbench.engine.contract.help_text import flags_in
from trtbench.engine.contract.probe import Probe, refuse
from trtbench.errors import UserError

ARGPARSE = """[TensorRT-LLM] TensorRT LLM version: 1.2.1
usage: trtllm-build [-h] [--checkpoint_dir CHECKPOINT_DIR] [--max_seq_len MAX_SEQ_LEN]
                    [--gemm_plugin {auto,float16,disable,disable}] [--strip_plan]
                    [--smoothquant SMOOTHQUANT]

options:
  -h, --help            show this help message and exit
  --checkpoint_dir CHECKPOINT_DIR
                        The directory; use --model_config without one (default: None)
  --max_seq_len MAX_SEQ_LEN, --max_decoder_seq_len MAX_SEQ_LEN
                        input + output (default: 4096)
  --gemm_plugin {auto,float16,disable,disable}
                        Off unless given.
                        --no_such_flag is only mentioned here (default: None)
  --strip_plan          bare (default: False)

Logits arguments:
  --smoothquant SMOOTHQUANT, -sq SMOOTHQUANT
                        alpha
"""
CLICK = """Usage: trtllm-bench latency [OPTIONS]

Options:
  -m, --model TEXT             The name.  [required]
  --backend [pytorch|tensorrt]
                               Which one.  [default: pytorch]
  --warmup INTEGER             Number.  [default: 2]
  --help                       Show this message and exit.
"""


def test_argparse_help_gives_flags_aliases_choices_and_defaults() -> None:
    said = flags_in(ARGPARSE)
    assert set(said) == {
        *("--help", "--checkpoint_dir", "--max_seq_len", "--max_decoder_seq_len", "--gemm_plugin", "--strip_plan"),
        "--smoothquant",
    }, "a flag that another one's text mentions does not count"
    assert said["--gemm_plugin"].choices == ["auto", "float16", "disable"], "named twice, listed once"
    assert said["--max_seq_len"].default == "4096"
    assert said["--smoothquant"].default is None


def test_click_help_gives_the_same() -> None:
    said = flags_in(CLICK)
    assert set(said) == {"--model", "--backend", "--warmup", "--help"}
    assert said["--backend"].choices == ["pytorch", "tensorrt"]
    assert said["--warmup"].default == "2"


def test_a_help_that_cannot_be_read_misses_everything_that_is_used() -> None:
    found = compare_tool("trtllm-build", 0, "nothing here looks like a help text\n")
    assert {d.name for d in found if d.used} == {
        flag for flag, row in contract.load()["tools"]["trtllm-build"]["flags"].items() if row.get("used")
    }


@pytest.mark.parametrize(("status", "text"), [(1, "boom\n"), (None, ""), (1, "ImportError: libmpi.so.40: cannot open")])
def test_a_tool_without_an_answer_is_unusable(status: int | None, text: str) -> None:
    (found,) = compare_tool("convert-llama", status, text)
    assert (found.what, found.used) == ("unusable", True)
    assert ("Open MPI" in found.name) == ("libmpi" in text)
    (optional,) = compare_tool("trtllm-bench", status, text)
    assert not optional.used, "an extra never stops a build"


def test_lost_choices_matter_only_when_they_are_passed() -> None:
    row = contract.load()["tools"]["trtllm-build"]["flags"]

    def help_with(choices: list[str]) -> str:
        lines = []
        for flag, entry in row.items():
            shown = choices if flag == "--gemm_plugin" else entry.get("choices")
            if entry.get("action"):
                lines.append(f"  {flag}")
            else:
                lines.append(f"  {flag} {{{','.join(shown)}}}" if shown else f"  {flag} VALUE")
        return "usage: trtllm-build\n\noptions:\n" + "\n".join(lines) + "\n"

    every = row["--gemm_plugin"]["choices"]
    kept = [d for d in compare_tool("trtllm-build", 0, help_with([c for c in every if c != "nvfp4"])) if d.used]
    assert kept == []
    (lost,) = [d for d in compare_tool("trtllm-build", 0, help_with([c for c in every if c != "auto"])) if d.used]
    assert (lost.name, lost.expected) == ("--gemm_plugin", ["auto"])


def probe(*differences: Difference) -> Probe:
    return Probe(
        schema=1,
        created="",
        seconds=1.0,
        stamp="",
        expected="1.2.1",
        versions={"tensorrt_llm": "1.2.1"},
        simulated=False,
        asked=[],
        differences=list(differences),
    )


def test_only_what_is_used_of_what_is_needed_stops_a_build(tmp_path: Path) -> None:
    elsewhere = Difference(where="convert-opt", what="missing", name="--workers", used=True)
    unused = Difference(where="trtllm-build", what="missing", name="--dry_run")
    refuse(probe(elsewhere, unused), {"trtllm-build", "convert-llama"}, tmp_path / "probe.json")
    with pytest.raises(UserError, match=r"convert-opt has no --workers.*release:1\.2\.1"):
        refuse(probe(elsewhere, unused), {"convert-opt"}, tmp_path / "probe.json")


def test_every_flag_that_is_passed_is_in_the_contract_and_marked_as_used() -> None:
    tools = contract.load()["tools"]
    sizes = plan.Sizes(batch=1, input=8, sequence=16, num_tokens=32)
    passed = {"trtllm-build": {"--checkpoint_dir", "--output_dir", "--output_timing_cache"}}
    for precision in contract.load()["precisions"]:
        passed["trtllm-build"] |= {w for w in plan.build_flags(sizes, precision, 2) if w.startswith("--")}
        for architecture in contract.load()["architectures"]:
            tool = plan.tool_for(architecture, precision)
            words = ["--model_dir", "--output_dir", *plan.convert_flags(architecture, precision, 2)]
            words += ["--calib_dataset"] if tool == "quantize" else plan.on_cpu_flags(tool)
            passed.setdefault(tool, set()).update(w for w in words if w.startswith("--"))
    for tool, flags in passed.items():
        assert {flag for flag in flags if not tools[tool]["flags"].get(flag, {}).get("used")} == set(), tool
        assert not flags & set(tools[tool].get("removed", {}))


def test_a_missing_converter_names_the_examples_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"EXAMPLES_DIR='.*' has no models/core/llama/convert_checkpoint\.py"):
        contract.command("convert-llama", tmp_path)


def test_a_tool_that_hangs_is_given_up_and_sees_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    env = tools.environment(tmp_path, tmp_path / "examples")
    code = "print('begun', flush=True); import time; time.sleep(600)"
    status, text = tools.captured([sys.executable, "-c", code], env, 2.0)
    assert (status, text) == (None, "begun\n")
    assert not {"HF_TOKEN", "NGC_API_KEY"} & set(env)
