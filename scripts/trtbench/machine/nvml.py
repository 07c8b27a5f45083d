"""NVML, asked gently: what a card or driver does not answer is absent; a driver that stops answering is `Broken`.

nvidia-ml-py (module pynvml) is looked for when it is asked for, so that everything runs without it.
"""

from __future__ import annotations

import dataclasses
import os
import time
from typing import Any

from trtbench.records import telemetry

# Codes of NVML (nvml.h) after which no further answer of this session can be believed.
_BROKEN = {
    1: "NVML is not initialised",
    9: "the driver is not loaded",
    10: "the driver did not answer in time",
    15: "the GPU is lost",
    16: "the GPU needs a reset",
}
_OUT_OF_STEP = 18  # library and kernel module are of different driver versions: an update without a reboot

# Bits of nvmlClocksEventReasons (nvml.h).
REASONS = {
    0x001: "gpu_idle",
    0x002: "applications_clocks_setting",
    0x004: "sw_power_cap",
    0x008: "hw_slowdown",
    0x010: "sync_boost",
    0x020: "sw_thermal_slowdown",
    0x040: "hw_thermal_slowdown",
    0x080: "hw_power_brake_slowdown",
    0x100: "display_clock_setting",
}
_SM, _MEMORY = 1, 2  # nvmlClockType
_TEMPERATURE_GPU = 0


class Broken(Exception):
    """The driver no longer answers; the text says in a few words how."""


class Absent(Exception):
    """There is no NVML to ask here; the text says why."""


@dataclasses.dataclass(frozen=True)
class Reading:
    """One look at one card; `time` is perf_counter_ns, memory in bytes, clocks in MHz, temperature in °C, power in W,
    energy in J since the driver was loaded, utilisation in per cent. `processes` holds the bytes of each process id, None
    where the driver lists a process without its memory, `computing` the ids of those that do more than draw. What the card
    does not tell is None."""

    time: int
    memory: int | None
    sm_clock: int | None
    memory_clock: int | None
    temperature: int | None
    power: float | None
    energy: float | None
    utilisation: int | None
    reasons: int | None
    processes: dict[int, int | None] | None
    computing: frozenset[int] | None


@dataclasses.dataclass(frozen=True)
class Facts:
    """What does not change during a trial: memory in bytes, bus width in bits, clocks in MHz, power in W."""

    uuid: str
    name: str
    memory_total: int | None
    memory_bus_width: int | None
    memory_clock_max: int | None
    sm_clock_max: int | None
    power_cap: float | None
    power_cap_default: float | None


class Card:
    """One GPU."""

    def __init__(self, nvml: Any, handle: Any) -> None:
        self._nvml, self._handle = nvml, handle
        self.uuid = str(self._ask("nvmlDeviceGetUUID") or "")
        self.name = str(self._ask("nvmlDeviceGetName") or "unknown GPU")

    def _ask(self, function: str, *arguments: Any) -> Any:
        """The answer, None where this card, driver or pynvml has none. Raises Broken."""
        call = getattr(self._nvml, function, None)
        if call is None:  # an older nvidia-ml-py
            return None
        try:
            answer = call(self._handle, *arguments)
        except self._nvml.NVMLError as error:
            code = int(getattr(error, "value", 0))
            if code in _BROKEN:
                raise Broken(_BROKEN[code]) from None
            if code == _OUT_OF_STEP:
                raise Broken("NVML and the driver are of different versions") from None
            return None
        return answer.decode() if isinstance(answer, bytes) else answer

    def constants(self) -> telemetry.Card:
        """What the card is, whatever runs on it. Raises Broken."""
        capability = self._ask("nvmlDeviceGetCudaComputeCapability")
        return telemetry.Card(
            uuid=self.uuid,
            name=self.name,
            memory_bus_width=self._ask("nvmlDeviceGetMemoryBusWidth") or None,
            memory_clock_max=self._ask("nvmlDeviceGetMaxClockInfo", _MEMORY) or None,
            sm_clock_max=self._ask("nvmlDeviceGetMaxClockInfo", _SM) or None,
            compute_capability=".".join(str(part) for part in capability) if capability else None,
        )

    def facts(self) -> Facts:
        card = self.constants()
        memory = self._ask("nvmlDeviceGetMemoryInfo")
        # The enforced limit is the lowest of all that apply.
        cap = self._ask("nvmlDeviceGetEnforcedPowerLimit") or self._ask("nvmlDeviceGetPowerManagementLimit")
        default_cap = self._ask("nvmlDeviceGetPowerManagementDefaultLimit")
        return Facts(
            uuid=self.uuid,
            name=self.name,
            memory_total=int(memory.total) if memory else None,
            memory_bus_width=card.memory_bus_width,
            memory_clock_max=card.memory_clock_max,
            sm_clock_max=card.sm_clock_max,
            power_cap=cap / 1000 if cap else None,
            power_cap_default=default_cap / 1000 if default_cap else None,
        )

    def read(self) -> Reading:
        """Look at everything that changes. Raises Broken."""
        memory = self._ask("nvmlDeviceGetMemoryInfo")
        power = self._ask("nvmlDeviceGetPowerUsage")
        energy = self._ask("nvmlDeviceGetTotalEnergyConsumption")
        read_at = time.perf_counter_ns()  # beside the counter, whose difference is divided by that of these times
        utilisation = self._ask("nvmlDeviceGetUtilizationRates")
        reasons = self._ask("nvmlDeviceGetCurrentClocksEventReasons")
        if reasons is None:  # its name before driver 535
            reasons = self._ask("nvmlDeviceGetCurrentClocksThrottleReasons")
        temperature = self._ask("nvmlDeviceGetTemperature", _TEMPERATURE_GPU)
        if temperature is None:  # deprecated since CUDA 13
            temperature = self._ask("nvmlDeviceGetTemperatureV", _TEMPERATURE_GPU)
        processes, computing = self._processes()
        return Reading(
            time=read_at,
            memory=int(memory.used) if memory else None,
            sm_clock=self._ask("nvmlDeviceGetClockInfo", _SM),
            memory_clock=self._ask("nvmlDeviceGetClockInfo", _MEMORY),
            temperature=temperature,
            power=power / 1000 if power is not None else None,
            energy=energy / 1000 if energy is not None else None,
            utilisation=int(utilisation.gpu) if utilisation else None,
            reasons=int(reasons) if reasons is not None else None,
            processes=processes,
            computing=computing,
        )

    def _processes(self) -> tuple[dict[int, int | None] | None, frozenset[int] | None]:
        """The memory of all processes on the card by id, and the ids of those that compute (others draw a desktop)."""
        process_lists = [
            self._ask("nvmlDeviceGetComputeRunningProcesses"),
            self._ask("nvmlDeviceGetGraphicsRunningProcesses"),
        ]
        if process_lists[0] is None:
            return None, None
        bytes_by_pid: dict[int, int | None] = {}
        for processes in process_lists:
            for process in processes or []:
                used = getattr(process, "usedGpuMemory", None)
                bytes_by_pid[int(process.pid)] = int(used) if used is not None else bytes_by_pid.get(int(process.pid))
        computing, drawing = ({int(process.pid) for process in processes or []} for processes in process_lists)
        # What does both is a desktop's program, such as a browser: how busy it keeps the card shows in the utilisation.
        return bytes_by_pid, frozenset(computing - drawing)


class Session:
    """NVML between its start and its end: `cards` are the visible GPUs in CUDA's order, `count` is the number of all."""

    def __init__(self) -> None:
        try:
            import pynvml
        except ImportError:
            raise Absent("nvidia-ml-py is not installed, so no GPU can be looked for") from None
        self._nvml = pynvml
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            raise Absent(f"no NVIDIA driver answers ({error})") from None
        try:
            self.count = int(pynvml.nvmlDeviceGetCount())
            self.cards = [Card(pynvml, handle) for handle in _visible(pynvml)]
            self.driver = _text(pynvml.nvmlSystemGetDriverVersion())
            version = pynvml.nvmlSystemGetCudaDriverVersion_v2()
            self.cuda = f"{version // 1000}.{version % 1000 // 10}"
        except (pynvml.NVMLError, Broken) as error:
            self.close()
            raise Absent(f"the NVIDIA driver does not answer ({error})") from None
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the driver; one that is broken cannot be let go of, and nothing more is asked of it."""
        try:
            self._nvml.nvmlShutdown()
        except self._nvml.NVMLError:
            return


def _visible(nvml: Any) -> list[Any]:
    """Handles of the GPUs that a CUDA program sees, in its order. As CUDA does, CUDA_VISIBLE_DEVICES (indices, UUIDs or
    their beginnings, MIG names) is read up to the first entry that names nothing. Raises NVMLError."""
    handles = [nvml.nvmlDeviceGetHandleByIndex(i) for i in range(nvml.nvmlDeviceGetCount())]
    visible_devices = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible_devices is None:
        return handles
    visible = []
    for entry in (part.strip() for part in visible_devices.split(",")):
        if entry.isdigit():
            matching = handles[int(entry) : int(entry) + 1]
        elif entry.startswith("MIG-"):
            matching = [nvml.nvmlDeviceGetHandleByUUID(entry.encode())]
        elif entry.startswith("GPU-"):
            matching = [handle for handle in handles if _text(nvml.nvmlDeviceGetUUID(handle)).startswith(entry)]
        else:
            matching = []
        if len(matching) != 1:
            break
        visible += matching
    return visible


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def lost(cards: int = 1) -> str | None:
    """Why one of so many visible GPUs, the first ones, cannot be used any more, in a few words; None where it answers or
    where there was never anything to ask (no nvidia-ml-py)."""
    try:
        import pynvml  # noqa: F401 - without it nothing can be told
    except ImportError:
        return None
    try:
        with Session() as session:
            if len(session.cards) < cards:
                return "the driver no longer sees it"
            for card in session.cards[:cards]:
                card.read()
    except (Absent, Broken) as error:
        return str(error)
    return None


def names(mask: int) -> list[str]:
    """The names of the set bits of a mask of throttle reasons; bits that are not known keep their number."""
    return [REASONS.get(1 << bit, f"reason_{1 << bit:#x}") for bit in range(mask.bit_length()) if mask >> bit & 1]
