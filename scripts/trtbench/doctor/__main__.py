"""What this machine lacks for the benchmark, and what to do about it: `bash scripts/doctor.sh [--help]`.

Standard library only and Python 3.8 syntax, because it runs with the host's own Python before anything is installed.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn

from trtbench.doctor.access import MODEL, ROOT
from trtbench.doctor.docker import IMAGE
from trtbench.doctor.report import NEEDED, examine, json_report, text_report, weigh
from trtbench.errors import UserError
from trtbench.settings import env_file


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; --help lists the options.")


def _switch(name: str, value: str) -> bool:
    if value.lower() not in ("", "0", "1", "true", "false", "yes", "no", "on", "off"):
        raise UserError(f"{name}={value!r} is not valid: it takes 1 or 0.")
    return value.lower() in ("1", "true", "yes", "on")


def main(arguments: list[str] | None = None) -> int:
    """Examine this machine. Returns 0 when it is ready for the purpose, 1 when something needed fails."""
    parser = _Parser(
        prog="doctor.sh",
        description="Says what this machine lacks for the benchmark, and what to do about it.",
        epilog="Exit status: 0 ready, 1 something needed fails, 2 an option or a setting is wrong.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--for",
        dest="purpose",
        choices=sorted(NEEDED),
        default="docker",
        help="what has to work: docker (the pipeline in containers, the default), local (CPU lanes without Docker), "
        "engine (the engine build, inside the container); failures that do not matter for it are warnings",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    options = parser.parse_args(arguments)
    # Whether the names in it are right is the benchmark's business, not the doctor's.
    file = {line.name: line.value for line in env_file.lines(ROOT / ".env") if line.value is not None}

    def setting(name: str, default: str) -> str:
        return os.environ.get(name) or file.get(name) or default

    # Both are read before either counts, so that a wrong value of the second is told too.
    switches = [_switch(name, setting(name, "")) for name in ("OFFLINE", "HF_HUB_OFFLINE")]
    os.environ["GPU_INDEX"] = setting("GPU_INDEX", "")
    model = setting("MODEL_NAME", "smollm2" if options.purpose == "local" else MODEL)
    checks = examine(setting("BASE_IMAGE", IMAGE), model, any(switches), Path(setting("DATA_DIR", str(ROOT / "data"))))
    weighed = weigh(checks, options.purpose)
    sys.stdout.write((json_report if options.json else text_report)(weighed, options.purpose))
    return 1 if any(check.level == "fail" for check in weighed) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
