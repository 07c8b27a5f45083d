"""`python -m trtbench.engine [--rebuild] [settings]` builds the TensorRT engines; see build.py."""

from trtbench.engine.build import main
from trtbench.errors import run_main

if __name__ == "__main__":
    run_main(main)
