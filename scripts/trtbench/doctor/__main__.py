"""What this machine lacks for the benchmark, and what to do about it: `bash scripts/doctor.sh [--help]`.

Standard library only and Python 3.8 syntax, because it runs with the host's own Python before anything is installed.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import NoReturn

from trtbench import __version__
from trtbench.doctor.docker import IMAGE
from trtbench.doctor.estimate import sentence
from trtbench.doctor.report import NEEDED, estimated, examine, json_report, text_report, ways_here, weigh
from trtbench.errors import UserError, print_whatever_comes
from trtbench.settings import reading
from trtbench.settings.knobs import ROOT
from trtbench.settings.lanes import LANES

PROFILES = ("auto", "build-only", "pytorch-only", "tensorrt-only", "vllm-only", "compare-only", "cpu")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; --help lists the options.")


def main(arguments: list[str] | None = None) -> int:
    """Examine this machine. Returns 0 when it is ready for the purpose, 1 when something needed fails."""
    parser = _Parser(
        prog="doctor.sh",
        description="Says what this machine lacks for the benchmark, and what to do about it.",
        epilog="Exit status: 0 ready, 1 something needed fails, 2 an option or a setting is wrong.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"trtbench {__version__}")
    parser.add_argument(
        "--for",
        dest="purpose",
        choices=sorted(NEEDED),
        default="docker",
        help="what has to work: docker (the pipeline in containers, the default), local (CPU lanes without Docker), "
        "gpu (a card without Docker), engine (the engine build, inside the container); failures that do not matter for it are warnings",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    parser.add_argument(
        "--estimate",
        metavar="PROFILE",
        choices=PROFILES,
        help="print the one line that a start with this profile of docker-compose.yml prints, and nothing else",
    )
    options = parser.parse_args(arguments)
    if options.purpose == "docker":
        os.environ.pop("CUDA_VISIBLE_DEVICES", None)  # Compose hands GPU_INDEX on, and nothing of this
    # As the benchmark reads them, with the defaults of the commands that this purpose is about.
    local = options.purpose == "local" or options.estimate == "cpu"
    settings, _ = reading.resolve({}, file=ROOT / ".env", defaults="local" if local else "")
    image = os.environ.get("BASE_IMAGE") or reading.read_file(ROOT / ".env").get("BASE_IMAGE") or IMAGE
    if options.estimate:
        taken = estimated(_image_of(options.estimate, image), settings, "docker", options.estimate)
        sys.stdout.write(f"estimate: {sentence(taken)}\n" if taken else "")
        return 0
    checks = examine(image, settings, options.purpose)
    weighed = weigh(checks, options.purpose)
    ways = ways_here(checks, options.purpose)
    sys.stdout.write((json_report if options.json else text_report)(weighed, options.purpose, ways))
    return 1 if any(check.level == "fail" for check in weighed) else 0


def _image_of(profile: str, image: str) -> str:
    """The image that a profile runs in, as docker-compose.yml names it."""
    if profile == "cpu":
        return "trtbench-cpu"
    if profile == "vllm-only":
        return os.environ.get("VLLM_IMAGE") or reading.read_file(ROOT / ".env").get("VLLM_IMAGE") or LANES["vllm"].image
    return image


if __name__ == "__main__":
    print_whatever_comes()
    try:
        sys.exit(main())
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
