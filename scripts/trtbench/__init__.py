"""trtbench: how much faster is TensorRT-LLM than PyTorch here, and may the number be believed?"""

import os
import sys

__version__ = "1.0.0"

# What scripts/lib.sh added beside an image's own packages: at the end, where nothing in it can take the place of one.
if os.environ.get("TRTBENCH_PACKAGES", "") not in ("", *sys.path):
    sys.path.append(os.environ["TRTBENCH_PACKAGES"])
