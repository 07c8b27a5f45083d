"""`python -m trtbench.settings` prints `.env.example`; with `handed-on`, for scripts/lib.sh, what `.env` has for the environment of
what downloads, a NAME=value a line."""

import sys

from trtbench.errors import run_main
from trtbench.settings.knobs import ROOT, env_example
from trtbench.settings.reading import handed_on, read_file


def main() -> int:
    if sys.argv[1:] == ["handed-on"]:
        # For a shell: exactly as the file has it, whatever standard output could write.
        lines = [f"{name}={value}\n" for name, value in handed_on(read_file(ROOT / ".env")).items()]
        sys.stdout.buffer.write("".join(lines).encode("utf-8", "surrogateescape"))
    else:
        print(env_example(), end="")
    return 0


if __name__ == "__main__":
    run_main(main)
