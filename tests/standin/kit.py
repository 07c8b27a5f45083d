"""Tiny random models and the environment in which the product would meet the stand-in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from once import made_once

HERE = Path(__file__).resolve().parent
CONTRACT = json.loads(
    (HERE.parents[1] / "scripts" / "trtbench" / "engine" / "contract" / "contract.json").read_text(encoding="utf-8")
)
EXAMPLES = "/app/tensorrt_llm/examples/"

MAKE_MODEL = """
import sys
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig, OPTConfig, PreTrainedTokenizerFast

family, folder = sys.argv[1:]
torch.manual_seed(7)
ids = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "vocab_size": 320}
shape = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 256}
config = {
    "llama": lambda: LlamaConfig(intermediate_size=160, num_key_value_heads=2, initializer_range=0.2,
                                 tie_word_embeddings=False, **shape, **ids),
    "gpt2": lambda: GPT2Config(n_embd=64, n_layer=2, n_head=4, n_positions=256, initializer_range=0.2, **ids),
    "opt": lambda: OPTConfig(ffn_dim=256, word_embed_proj_dim=64, init_std=0.2, **shape, **ids),
}[family]()
AutoModelForCausalLM.from_config(config).to(torch.float32).save_pretrained(folder)
words = {"<pad>": 0, "<s>": 1, "</s>": 2, **{f"w{number}": number for number in range(3, 320)}}
tokenizer = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
PreTrainedTokenizerFast(
    tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
).save_pretrained(folder)
"""


def environment(**more: str) -> dict[str, str]:
    """The environment of a product run on the stand-in; STANDIN_* of the caller don't leak in."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("STANDIN_")}
    path = os.pathsep.join([str(HERE / "bin"), str(Path(sys.executable).parent), clean.get("PATH", "")])
    return clean | {"PYTHONPATH": str(HERE / "python"), "PATH": path, "STANDIN_LINGER": "2", **more}


def command(tool: str) -> list[str]:
    """The words that start a tool: a command on PATH, or a script of the image's examples."""
    entry = CONTRACT["tools"][tool]
    if "command" in entry:
        return [entry["command"]]
    return [sys.executable, str(HERE / "examples" / entry["path"].removeprefix(EXAMPLES))]


def run_tool(tool: str, *words: object, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a tool as a real subprocess."""
    return subprocess.run(
        [*command(tool), *map(str, words)],
        cwd=cwd,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=240,
    )


def drive(scenario: str, *words: object, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a scenario of drive.py in its own process."""
    return subprocess.run(
        [sys.executable, str(HERE / "drive.py"), scenario, *map(str, words)],
        cwd=cwd,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=240,
    )


def answer(done: subprocess.CompletedProcess[str]) -> Any:
    """The JSON that a scenario printed last."""
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


class Workshop:
    """Models, checkpoints and engines made once a session."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def model(self, family: str) -> Path:
        """A tiny random model with a tokenizer."""
        folder = self.root / f"model-{family}"
        with made_once(folder) as wanted:
            if wanted:
                subprocess.run([sys.executable, "-c", MAKE_MODEL, family, str(folder)], check=True, capture_output=True)
        return folder

    def checkpoint(self, family: str, precision: str = "float16") -> Path:
        """A converted checkpoint."""
        folder = self.root / f"checkpoint-{family}-{precision}"
        with made_once(folder) as wanted:
            if wanted:
                architecture = json.loads((self.model(family) / "config.json").read_text())["architectures"][0]
                entry = CONTRACT["architectures"][architecture]
                row = CONTRACT["precisions"][precision]
                tool = entry["tool"] if row["via"] == "converter" else "quantize"
                extra: Sequence[str] = entry.get("extra", []) if row["via"] == "converter" else self.calibration()
                done = run_tool(
                    tool,
                    "--model_dir",
                    self.model(family),
                    "--output_dir",
                    folder,
                    *row["flags"],
                    *extra,
                    cwd=self.root,
                    STANDIN_SM="8.9",
                )
                assert done.returncode == 0, done.stdout + done.stderr
        return folder

    def ids(self, family: str = "llama", precision: str = "float16") -> Any:
        """What the engine and transformers make of the same prompts, run once."""
        path = self.root / f"ids-{family}-{precision}.json"
        with made_once(path) as wanted:
            if wanted:
                done = drive("parity", self.engine(family, precision), self.model(family), precision, cwd=self.root)
                path.write_text(json.dumps(answer(done)))
        return json.loads(path.read_text())

    def calibration(self) -> list[str]:
        """Flags for a local calibration set."""
        folder = self.root / "calibration"
        rows = [
            json.dumps({"text": " ".join(f"w{3 + (7 * row + 5 * word) % 300}" for word in range(40))})
            for row in range(4)
        ]
        with made_once(folder) as wanted:
            if wanted:
                folder.mkdir()
                (folder / "train.jsonl").write_text("\n".join(rows) + "\n")
        return ["--calib_dataset", str(folder), "--calib_size", "4"]

    def engine(self, family: str, precision: str = "float16", **more: str) -> Path:
        """A built engine: batch 4, 32 + 32 tokens."""
        folder = self.root / f"engine-{family}-{precision}{'-'.join(more.values())}"
        with made_once(folder) as wanted:
            if wanted:
                done = run_tool(
                    "trtllm-build",
                    "--checkpoint_dir",
                    self.checkpoint(family, precision),
                    "--output_dir",
                    folder,
                    "--max_batch_size",
                    4,
                    "--max_input_len",
                    32,
                    "--max_seq_len",
                    64,
                    "--max_num_tokens",
                    128,
                    "--gemm_plugin",
                    CONTRACT["precisions"][precision]["gemm_plugin"],
                    "--multiple_profiles",
                    "enable",
                    "--kv_cache_type",
                    "paged",
                    "--output_timing_cache",
                    f"{folder}.timing",
                    cwd=self.root,
                    **({"STANDIN_SM": "8.9"} if precision == "fp8" else {}),
                    **more,
                )
                assert done.returncode == 0, done.stdout + done.stderr
        return folder
