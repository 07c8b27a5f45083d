"""Record what NVML answers on a real GPU while a process works on it, for the tests that have no GPU.

    PYTHONPATH=scripts python tools/record_nvml.py TAPE.json

Every question that the program's own telemetry asks is kept with its answers (tests/nvml/pynvml.py plays them back). The
card's UUID is replaced. It also prints how long one look takes.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

WORK = """
import time
time.sleep(2)
import torch
a = torch.randn(8192, 8192, device="cuda", dtype=torch.float16)
keep = torch.empty(2**30, dtype=torch.uint8, device="cuda")
end = time.time() + 7
while time.time() < end:
    for _ in range(20):
        a @ a
    torch.cuda.synchronize()
"""
UUID = "GPU-00000000-1111-2222-3333-444444444444"


class Recorder(ModuleType):
    """pynvml, with every answer kept."""

    def __init__(self, real: Any) -> None:
        super().__init__("pynvml")
        self._real = real
        self.answers: dict[str, list[Any]] = {}
        self._handles: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._real, name)
        if not name.startswith("nvml") or name in ("nvmlInit", "nvmlShutdown"):
            return real

        def ask(*arguments: Any) -> Any:
            plain = [self._handles.index(a) if a in self._handles else a for a in arguments]
            key = "@".join(map(str, (name, *plain)))
            try:
                found = real(*arguments)
            except self._real.NVMLError as error:
                self.answers.setdefault(key, []).append({"error": error.value})
                raise
            if name == "nvmlDeviceGetHandleByIndex":
                self._handles.append(found)
            else:
                self.answers.setdefault(key, []).append(_plain(name, found))
            return found

        return ask


def _plain(name: str, found: Any) -> Any:
    if name == "nvmlDeviceGetUUID":
        return UUID
    if isinstance(found, bytes):
        return found.decode()
    if isinstance(found, list):
        return [_plain("", each) for each in found]
    fields = [field for field, *_ in getattr(found, "_fields_", [])] or list(getattr(found, "__dict__", {}))
    if fields:  # a structure of ctypes, or pynvml's friendly copy of one
        wanted = ("total", "free", "used", "gpu", "memory", "pid", "usedGpuMemory")
        return {field: getattr(found, field) for field in fields if field in wanted}
    return found


def main(tape: Path) -> int:
    import pynvml

    recorder = Recorder(pynvml)
    sys.modules["pynvml"] = recorder
    from trtbench.machine import telemetry

    watch = telemetry.Watch()
    watch.start()
    child = subprocess.Popen([sys.executable, "-c", WORK])
    watch.follow(child.pid)
    status = child.wait()
    watch.stop()
    answers = {key: told if len(set(map(str, told))) > 1 else told[:1] for key, told in recorder.answers.items()}
    tape.write_text(json.dumps({"answers": answers}, indent=None, sort_keys=True).replace('], "', '],\n"') + "\n")
    with telemetry.nvml.Session() as session:
        took = []
        for _ in range(100):
            start = time.perf_counter_ns()
            session.cards[0].read()
            took.append((time.perf_counter_ns() - start) / 1e6)
    print(f"{len(answers)} questions; one look takes {statistics.median(took):.2f} ms, at most {max(took):.2f} ms")
    for problem in watch.problems:
        print(f"problem: {problem}", file=sys.stderr)
    return 1 if status or watch.problems else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
