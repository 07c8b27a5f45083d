#!/usr/bin/env python3
"""Stand-in for the gpt converter; the work is done in tensorrt_llm._standin.convert."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "python"))

from tensorrt_llm._standin.convert import main_gpt

if __name__ == "__main__":
    main_gpt()
