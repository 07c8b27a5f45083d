"""What was seen around a trial from outside the measured process: who used the CPU, the GPUs, swap."""

from __future__ import annotations

from typing import Literal

import msgspec

from trtbench.records.files import Strict
from trtbench.settings.cells import Amount, Bandwidth, Count, Positive


class CpuUse(Strict):
    """CPU time over `seconds` of wall time, in seconds of one core: what processes other than the trial's and ours used
    (`others`; the kernel's own threads and interrupts are nobody's), and what a hypervisor gave to another machine
    (`stolen`). `cores` are those that the trial's process may use."""

    seconds: Amount
    cores: Positive
    others: Amount
    stolen: Amount

    @property
    def share(self) -> float:
        """What others took of all cores meanwhile."""
        return (self.others + self.stolen) / (self.seconds * self.cores) if self.seconds else 0.0


class Disturbance(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Why a trial is disturbed: something that others did (machine/disturbance.py). `value` is above (a clock: below) the
    `limit` that the run's rules set."""

    kind: Literal["cpu", "cell_cpu", "gpu_process", "gpu_used", "gpu_throttled", "gpu_clock"]
    value: Amount
    limit: Amount


class Gpu(Strict):
    """One GPU that the trial used; clocks in MHz, power in W, temperature in °C, memory in bytes, `energy` in J over the
    whole trial. Lists hold what was seen while the clock ran, `samples` times; `idle_power` is from before.

    Of schema 2: `foreign_compute` counts computing (not drawing) processes of others, from before the trial to its end;
    `idle_utilisation` (percent, median), `idle_temperature` and `early_reasons` (all throttle reasons) are from before the
    trial's process touched the card; `early_clock` is the highest clock from then on to its first call. `power_cap_default` is
    the cap that the card has from its maker."""

    uuid: str
    name: str
    samples: Count
    memory_total: Count | None = None
    memory_baseline: Count | None = None
    memory_peak: Count | None = None
    sm_clock: list[Count] | None = None
    memory_clock: list[Count] | None = None
    temperature: list[Count] | None = None
    power: list[Amount] | None = None
    utilisation: list[Count] | None = None
    energy: Amount | None = None
    idle_power: Amount | None = None
    power_cap: Amount | None = None
    throttle_reasons: list[str] | None = None
    foreign_processes: Count | None = None
    memory_bus_width: Count | None = None
    memory_clock_max: Count | None = None
    sm_clock_max: Count | None = None
    foreign_compute: Count | None = None
    idle_utilisation: Amount | None = None
    idle_temperature: Count | None = None
    early_clock: Count | None = None
    early_reasons: list[str] | None = None
    power_cap_default: Amount | None = None


class Card(Strict):
    """What a GPU is, whatever runs on it, as the driver tells: bus width in bits, clocks in MHz, capability as "8.9"."""

    uuid: str
    name: str
    memory_bus_width: Count | None = None
    memory_clock_max: Count | None = None
    sm_clock_max: Count | None = None
    compute_capability: str | None = None


class Telemetry(Strict):
    """What was seen around the trial from outside the measured process. Of schema 2: `cpu` is over the whole trial,
    `waited` how many seconds were waited for a quiet machine right before it."""

    gpus: list[Gpu] | None = None
    load_average: Amount | None = None
    cpu_mhz: list[Amount] | None = None  # nothing writes or reads it, but the records of schema 1 hold it as null
    swap_used_before: Count | None = None
    swap_used_after: Count | None = None
    read_bandwidth: Bandwidth | None = None
    problems: list[str] = []
    cpu: CpuUse | None = None
    waited: Amount | None = None
