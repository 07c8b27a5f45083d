"""The CUDA driver that programs get here, and which cards can do with an older one by NVIDIA's forward compatibility.

nvidia-smi names the kernel's driver. What counts for a program is the libcuda.so.1 that it loads: NVIDIA's image brings a newer
one, and its entrypoint puts it onto the library path where the card takes it. Standard library only and Python 3.8 syntax.
"""

from __future__ import annotations

import json
import os
import re
import sys
from typing import Any

from trtbench.machine.checks import Check, last_line, run_program

MIN_DRIVER = 580  # of CUDA 13
MIN_CUDA = 13000  # as cuDriverGetVersion writes 13.0
# The oldest branch on which NVIDIA's compatibility package of CUDA 13 runs.
MIN_DRIVER_WITH_COMPATIBILITY = 535
_OLDEST_OF = ((MIN_DRIVER, MIN_CUDA), (525, 12000), (450, 11000))  # drivers with which all of that major version runs
SECONDS = 60  # the first program on a machine with many cards, which nobody keeps awake, waits for all of them
UPDATE = "NVIDIA_SETUP.md, step 4 (WSL2: update the driver in Windows, never inside WSL)"

# NVIDIA: forward compatibility is for data-centre cards, and for RTX cards of selected servers. On all others it ends with
# CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE. Names as nvidia-smi writes them: "NVIDIA A100-SXM4-80GB", "Tesla T4".
_DATA_CENTRE = re.compile(
    r"\bTesla\b|\bServer Edition\b|\b(?:A2|A10G?|A16|A30X?|A40|A100X?|A800|L2|L4|L20|L40[GS]?|T4G?|V100S?"
    r"|H20|H100|H200|H800|B100|B200|B300|GH200|GB200|GB300)\b"
)
_RTX_OF_SERVERS = re.compile(r"\bRTX (?:A\d|\d+ (?:SFF )?Ada|PRO)|\bQuadro RTX\b")

# Asked in a process of its own, because cuInit can hang or crash, and what it starts in a process stays there.
QUESTION = """
import ctypes, json
try:
    cuda = ctypes.CDLL("libcuda.so.1")
except OSError as error:
    print(json.dumps({"absent": str(error)}))
    raise SystemExit
status, name, version = cuda.cuInit(0), ctypes.c_char_p(), ctypes.c_int()
cuda.cuDriverGetVersion(ctypes.byref(version))
cuda.cuGetErrorName(status, ctypes.byref(name))
with open("/proc/self/maps") as maps:
    library = next((line.split()[-1] for line in maps if "/libcuda.so" in line), "")
name = (name.value or b"").decode()
print(json.dumps({"status": status, "name": name, "version": version.value, "library": library}))
"""

# What helps when cuInit fails, by its error.
_HELP = {
    100: "give the container a GPU (docker compose does), and see that CUDA_VISIBLE_DEVICES names one",
    802: "on machines with NVSwitch start NVIDIA's fabric manager: sudo systemctl start nvidia-fabricmanager",
    803: "this library does not fit the kernel's driver: restart the machine after an update of the driver, or take a folder "
    "for forward compatibility that is older than the driver off LD_LIBRARY_PATH",
    999: "restart the machine, or sudo modprobe nvidia_uvm",
}
_NOT_SUPPORTED = 804


def data_centre(name: str) -> bool | None:
    """Is a card of this name made for data centres, where forward compatibility works? None: NVIDIA names no list."""
    if "GeForce" in name:
        return False
    if _DATA_CENTRE.search(name):
        return True
    return None if _RTX_OF_SERVERS.search(name) else False


def driver_check(card: str, driver: str, ask: bool) -> Check:
    """Is the driver new enough for CUDA 13? `driver` is the kernel's, as nvidia-smi names it, of the GPU `card`; `ask`: programs
    run here, so what they get decides."""
    major = re.match(r"\d+", driver)
    figures: dict[str, Any] = {"version": driver, "needed": MIN_DRIVER}
    if not ask:
        return _by_number(card, driver, int(major.group()) if major else None, figures)
    answer = _asked()
    figures["cuda"] = answer
    if "absent" in answer:
        check = _by_number(card, driver, int(major.group()) if major else None, figures)
        sentence = f"{check.sentence} Programs find no libcuda.so.1 here, so the driver can't be asked."
        todo = check.todo or "in a container: NVIDIA_DRIVER_CAPABILITIES=compute,utility"
        return Check("driver", "fail" if check.level == "fail" else "warn", sentence, todo, figures)
    if "silent" in answer:
        sentence = f"The CUDA driver ({driver}) gives no answer: {answer['silent']}."
        return Check("driver", "fail", sentence, "restart the machine; if it stays so: " + UPDATE, figures)
    return _by_answer(card, driver, int(major.group()) if major else None, figures)


def cuda_version(driver: str) -> int | None:
    """The CUDA version that programs get here, as cuDriverGetVersion writes it (12040 is 12.4): asked of the driver, else by the
    number that nvidia-smi gives it; None where neither tells.

    Source: CUDA Toolkit release notes, minimum driver versions for minor version compatibility."""
    told = _asked()
    if told.get("status") == 0:
        return int(told["version"])
    major = re.match(r"\d+", driver)
    return next((cuda for oldest, cuda in _OLDEST_OF if major and int(major.group()) >= oldest), None)


def _asked() -> dict[str, Any]:
    """What libcuda.so.1 says to a program started from here: status, name of the error, version and library; or "absent", or
    "silent" with the reason."""
    status, out, err = run_program(sys.executable, "-I", "-c", QUESTION, seconds=SECONDS)
    try:
        answer = json.loads(out.strip().splitlines()[-1])
    except (ValueError, IndexError):
        if status is None:
            return {"silent": err.replace(sys.executable, "it", 1)}
        return {"silent": f"asking it ended with status {status} ({last_line(err)})"}
    return answer if isinstance(answer, dict) else {"silent": last_line(out)}


def _by_number(card: str, driver: str, major: int | None, figures: dict[str, Any]) -> Check:
    """What the number alone allows to say."""
    if major is None:
        return Check("driver", "warn", f"The driver's version is not a number: {driver!r}.", "", figures)
    if major >= MIN_DRIVER:
        return Check("driver", "ok", f"NVIDIA driver {driver} ({MIN_DRIVER} or newer is needed).", "", figures)
    for_servers = data_centre(card)
    if for_servers is False or major < MIN_DRIVER_WITH_COMPATIBILITY:
        sentence = f"NVIDIA driver {driver} is too old; the image's CUDA 13 needs {MIN_DRIVER} or newer"
        if for_servers:
            sentence += f", or {MIN_DRIVER_WITH_COMPATIBILITY} by forward compatibility"
        return Check("driver", "fail", f"{sentence}.", UPDATE, figures)
    if for_servers is None:
        sentence = (
            f"NVIDIA driver {driver} is older than {MIN_DRIVER}; the image's CUDA 13 may still run by forward compatibility, which "
            f"NVIDIA offers on RTX cards of selected servers; whether {card} here is one isn't known."
        )
    else:
        sentence = (
            f"NVIDIA driver {driver} is older than {MIN_DRIVER}; on data-centre cards such as {card} the image's CUDA 13 runs "
            "by forward compatibility."
        )
    todo = f"the engine build asks the driver and tells; if it refuses, update to {MIN_DRIVER} or newer: NVIDIA_SETUP.md, step 4"
    return Check("driver", "warn", sentence, todo, figures)


def _by_answer(card: str, driver: str, major: int | None, figures: dict[str, Any]) -> Check:
    answer = figures["cuda"]
    status, cuda = answer["status"], f"{answer['version'] // 1000}.{answer['version'] % 1000 // 10}"
    new_enough = major is not None and major >= MIN_DRIVER
    if status != 0:
        error = f"{answer['name'] or 'cuInit'} ({status})"
        sentence = f"CUDA does not start on {card} with NVIDIA driver {driver}: {error}, from {answer['library']}."
        return Check("driver", "fail", sentence, _help(status, new_enough), figures)
    if answer["version"] < MIN_CUDA:
        sentence = f"NVIDIA driver {driver} is too old: programs get CUDA {cuda} here, and need 13"
        image = os.environ.get("_CUDA_COMPAT_STATUS")
        if data_centre(card) and image:
            sentence += f"; forward compatibility is not on (NVIDIA's entrypoint says: {image})"
        elif data_centre(card):
            sentence += "; forward compatibility is not on, because this was not started through the image's entrypoint"
        return Check("driver", "fail", f"{sentence}.", f"install driver {MIN_DRIVER} or newer: {UPDATE}", figures)
    if not new_enough:
        sentence = f"CUDA {cuda} runs by forward compatibility: NVIDIA driver {driver}, CUDA from the image."
        todo = f"driver {MIN_DRIVER} or newer on the host does without it"
        return Check("driver", "warn", sentence, todo, figures)
    sentence = f"NVIDIA driver {driver} ({MIN_DRIVER} or newer is needed), CUDA {cuda} for programs."
    return Check("driver", "ok", sentence, "", figures)


def _help(status: int, new_enough: bool) -> str:
    if status != _NOT_SUPPORTED:
        return _HELP.get(status, UPDATE)
    if new_enough:
        return "the library is one for forward compatibility, which this card does not do: take its folder off LD_LIBRARY_PATH"
    return f"forward compatibility is not for this card: install driver {MIN_DRIVER} or newer: {UPDATE}"
