"""PROFILE=1: what a PyTorch lane spends a decode step on, by torch's profiler, after all timed passes.

Two generations are looked at, of one new id and of 1 + n; their difference is what n decode steps take, without
the prefill. On a GPU the events are kernels and copies as the driver reports them, those inside CUDA graphs included; on
a CPU they are the operators that no other calls. The profiler slows what it looks at, so none of these times is a result.
"""

from __future__ import annotations

import dataclasses
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from trtbench.lanes.lane import Lane
from trtbench.records.files import write_whole
from trtbench.settings.cells import Cell

SHOWN = 40  # names in the file; the rest is summed up


@dataclasses.dataclass(frozen=True)
class Event:
    """One kernel or operator; microseconds."""

    name: str
    began: float
    ended: float


def summary(short: Sequence[Event], long: Sequence[Event], steps: int) -> dict[str, Any]:
    """Per decode step: how many events, microseconds busy, microseconds between events in which nothing runs, and the
    events by name, the most expensive first. `long` made `steps` more steps than `short`."""
    calls: defaultdict[str, int] = defaultdict(int)
    time: defaultdict[str, float] = defaultdict(float)
    for sign, events in ((1, long), (-1, short)):
        for event in events:
            calls[event.name] += sign
            time[event.name] += sign * (event.ended - event.began)
    busy_long, gaps_long = busy_and_gaps(long)
    busy_short, gaps_short = busy_and_gaps(short)
    names = sorted((name for name in calls if calls[name] > 0), key=lambda name: -time[name])
    total = sum(time[name] for name in names) or 1.0
    return {
        "steps": steps,
        "events_per_step": sum(calls.values()) / steps,
        "busy_us_per_step": round((busy_long - busy_short) / steps, 3),
        "gap_us_per_step": round((gaps_long - gaps_short) / steps, 3),
        "by_name": [
            {
                "name": name,
                "per_step": calls[name] / steps,
                "us_each": round(time[name] / calls[name], 3),
                "us_per_step": round(time[name] / steps, 3),
                "share": round(time[name] / total, 4),
            }
            for name in names[:SHOWN]
        ],
        "names_left_out": max(0, len(names) - SHOWN),
    }


def busy_and_gaps(events: Sequence[Event]) -> tuple[float, float]:
    """Microseconds in which at least one event runs, and those between the first and the last in which none does."""
    busy = gaps = 0.0
    end: float | None = None
    for event in sorted(events, key=lambda e: e.began):
        if end is None:
            end = event.began
        gaps += max(0.0, event.began - end)
        busy += max(0.0, event.ended - max(end, event.began))
        end = max(end, event.ended)
    return busy, gaps


def look(
    generate: Callable[[list[list[int]], int], Any], prompts: list[list[int]], new: int, cuda: bool
) -> list[Event]:
    """The events of one generation, which was made once before so that nothing is compiled or recorded meanwhile."""
    from torch.autograd import DeviceType
    from torch.profiler import ProfilerActivity, profile

    generate(prompts, new)
    activities = [ProfilerActivity.CUDA] if cuda else [ProfilerActivity.CPU]
    with profile(activities=activities, acc_events=True) as profiled:
        generate(prompts, new)
    device_type = DeviceType.CUDA if cuda else DeviceType.CPU
    events = []
    for event in profiled.events() or []:
        if event.device_type == device_type and (cuda or event.cpu_parent is None):
            events.append(Event(event.name, event.time_range.start, event.time_range.end))
    return events


def write(lane: Lane, cells: Sequence[tuple[Cell, list[list[int]]]], device: str, file: Path) -> None:
    """Profile every cell with its prompts and write one JSON."""
    profiles = []
    for cell, prompts in cells:
        steps = min(lane.profile_steps, cell.new_tokens - 1)
        lane.begin(cell)
        short, long = (look(lane.generate, prompts, new, device == "cuda") for new in (1, 1 + steps))
        profiles.append(
            {
                "batch": cell.batch,
                "prompt_length": cell.prompt_length,
                "events": "kernels" if device == "cuda" else "operators",
                **summary(short, long, steps),
            }
        )
    write_whole(file, (json.dumps({"cells": profiles}, indent=1) + "\n").encode())
