"""`python -m trtbench.settings` prints `.env.example`."""

from trtbench.settings.knobs import env_example

if __name__ == "__main__":
    print(env_example(), end="")
