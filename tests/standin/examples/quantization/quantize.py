#!/usr/bin/env python3
"""Stand-in for quantize.py; the work is done in tensorrt_llm._standin.quantize."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))

from tensorrt_llm._standin.quantize import main

if __name__ == "__main__":
    main()
