"""How fast this machine reads memory: the denominator of the share of bandwidth on a CPU.

python -m trtbench.machine.bandwidth THREADS
"""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from trtbench.machine.child import computing_environment

BYTES = 256 * 2**20  # per thread; many times any last-level cache share


def read_bandwidth(threads: int, seconds: float = 0.6) -> float:
    """Best bytes per second of `threads` threads that sum their own arrays at once (numpy releases the lock)."""
    import numpy as np

    arrays = [np.ones(BYTES // 8) for _ in range(threads)]
    best = 0.0
    with ThreadPoolExecutor(threads) as pool:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or best == 0.0:
            start = time.perf_counter_ns()
            list(pool.map(np.max, arrays))
            best = max(best, threads * BYTES / ((time.perf_counter_ns() - start) / 1e9))
    return best


def measured_bandwidth(threads: int) -> float | None:
    """Bytes per second that this machine reads with so many threads, measured in a process of its own."""
    completed = subprocess.run(
        [sys.executable, "-m", "trtbench.machine.bandwidth", str(threads)],
        env=computing_environment(threads),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return float(completed.stdout) if completed.returncode == 0 else None


if __name__ == "__main__":
    print(read_bandwidth(int(sys.argv[1])))
