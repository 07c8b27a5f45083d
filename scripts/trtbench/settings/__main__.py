"""`python -m trtbench.settings` prints `.env.example`."""

from trtbench.errors import run_main
from trtbench.settings.knobs import env_example

if __name__ == "__main__":
    run_main(lambda: print(env_example(), end="") or 0)
