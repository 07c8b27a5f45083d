"""What a run fixes when it opens: the settings that may not differ in it, and the rules by which its headline and the
precisions of its lanes follow from them. The run decides by these, and the audit decides again."""

from __future__ import annotations

from collections.abc import Sequence

from trtbench.settings import lanes
from trtbench.settings.knobs import QUANTISED, ROWS

# Settings that may differ between steps of one run: they choose what is run, not how it is measured or judged. HEADLINE is
# among them since only one of a run's steps may name it; it is held against the run's headline.
FREE = (
    "LANES",
    "TRIALS",
    "TIME_BUDGET",
    "HEADLINE",
    "REPORT_LANG",
    "LOG_LEVEL",
    "OFFLINE",
    "DATA_DIR",
    "RESULTS_DIR",
    "PRECISION",
    "MODEL_NAME",
    "MODEL_SOURCE",
    "MODEL_REVISION",
    "PROMPTS_FILE",
    "EXAMPLES_DIR",
    "GPU_INDEX",
    "DEVICE",  # a run's machine says what it means: another device is another machine
    "ENGINE_START_LIMIT",
    "TRTLLM_BENCH",
    "PROFILE",
    "ENERGY",
    "QUIET",
)
FIXED = tuple(name for name, row in ROWS.items() if name not in FREE and not row.secret)


def headline_of(declared: str, names: Sequence[str], tp_size: int = 1) -> str | None:
    """The lane of the headline of a run opened with these lanes: the one declared (HEADLINE), else tensorrt-engine, else
    tensorrt-rtx, else the first that is not of PyTorch. Lanes that this program does not know are none, nor are those that can't
    split a model over so many cards."""
    if declared:
        return declared
    rivals = [name for name in names if name in lanes.LANES and rival(name, tp_size)]
    return next((name for name in ("tensorrt-engine", "tensorrt-rtx", *rivals) if name in rivals), None)


def rival(name: str, tp_size: int = 1) -> bool:
    """Whether a lane may be the headline where none is declared."""
    row = lanes.LANES[name]
    return not row.baseline and row.family != "pytorch" and (tp_size == 1 or bool(row.over_cards))


def precisions_of(row: lanes.Row, asked: Sequence[str], device: str) -> list[str]:
    """The precisions that a lane runs where these are asked for (PRECISION); `auto` is the device's own default. A PyTorch
    lane that knows none of them (quantised ones) runs the default, because there must be something to compare with."""
    requested = [lanes.DEFAULT_PRECISION[device]] if list(asked) == ["auto"] else list(asked)
    chosen = [precision for precision in requested if precision in row.precisions[device]]
    if row.baseline and not chosen and all(precision in QUANTISED for precision in requested):
        chosen = [lanes.DEFAULT_PRECISION[device]]
    return chosen
