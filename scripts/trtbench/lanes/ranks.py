"""A lane over several cards: one process of ours for each rank, the trial's own is rank 0.

Every rank holds its share of the weights and makes the same calls in the same order; what they exchange in between goes over NCCL,
or gloo on a CPU. Rank 0 tells the others through a pipe what comes next and takes part itself, so that this telling is in the timed
call. A rank that fails would be waited for without end: then the trial's process ends with a sentence.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from trtbench.errors import Unsupported
from trtbench.lanes.lane import Lane, Plan, create
from trtbench.lanes.prepared import Prepared
from trtbench.records.trial import Memory, Statement
from trtbench.settings.cells import Cell

GRACE = 20.0  # seconds in which rank 0 fails as well, where the cause is in all ranks
ENDING = 10.0  # seconds in which a rank may end by itself
SEEN = 1.0  # seconds in which the end of a rank is seen here whose sockets have closed
DIED = 1  # exit status of the trial's process when a rank failed alone


class Ranks(Lane):
    """The lane `name` in `plan.tp_size` processes, of which this one is the first."""

    def __init__(self, name: str, plan: Plan) -> None:
        super().__init__(dataclasses.replace(plan, threads=max(1, plan.threads // plan.tp_size)))
        self.first = create(name)(self.plan)
        self.profile_steps = self.first.profile_steps
        self.store = str(Path(tempfile.mkdtemp(prefix="trtbench-ranks-")) / "store")
        # Now, so that they import while this process does.
        self.others = [
            _Other(name, dataclasses.replace(self.plan, rank=rank), self.store) for rank in range(1, plan.tp_size)
        ]
        self.joined = False
        self.calls = 0  # odd while one is under way
        self.failed_here: set[int] = set()  # calls of this process; another rank may tell of one when more are over
        self.failed_there = ""  # what went wrong in another alone, in a call that ended here
        self.giving_up = threading.Lock()

    def prepare(self) -> Prepared | None:
        return self._together("prepare")  # type: ignore[no-any-return]

    def load(self) -> None:
        self._together("load")

    def begin(self, cell: Cell) -> None:
        self._together("begin", cell)

    def wait_idle(self) -> None:
        """The other ranks wait for a command, their garbage collected: else the next call would wait for that."""
        for other in self.others:
            other.answer()

    def generate(self, prompts: list[list[int]], new_tokens: int) -> list[list[int]]:
        return self._together("generate", prompts, new_tokens)  # type: ignore[no-any-return]

    def statement(self) -> Statement:
        """That of rank 0: the others differ in the number of their card alone."""
        import torch.distributed

        stated = self.first.statement()
        stated.tensor_parallel = torch.distributed.get_world_size()
        if stated.threads is not None:
            stated.threads *= stated.tensor_parallel
        stated.notes = [*stated.notes, transport()]
        return stated

    def memory(self) -> Memory:
        """Of all ranks together."""
        parts = [self._together("memory"), *(other.answer() for other in self.others)]
        unanswered = [other.rank for other, part in zip(self.others, parts[1:]) if part is None]
        if unanswered:
            raise RuntimeError(f"rank {unanswered[0]} of {self.plan.tp_size} does not tell its memory")
        totals = {}
        for field in Memory.__struct_fields__:
            values = [getattr(part, field) for part in parts]
            totals[field] = None if None in values else sum(values)
        return Memory(**totals)

    def close(self) -> None:
        for other in self.others:
            other.closing = True
            other.send("close")
        try:
            self.first.close()
            leave()
        finally:
            for other in self.others:
                other.end()
            shutil.rmtree(Path(self.store).parent, ignore_errors=True)

    def _together(self, method: str, *arguments: Any) -> Any:
        """Have all ranks make a call; what it returns here."""
        if not self.joined:
            self.joined = True
            threading.Thread(target=self._watch, daemon=True).start()
            join(self.plan, self.store)
        self.wait_idle()
        if self.failed_there:
            raise RuntimeError(self.failed_there)
        for other in self.others:
            other.send(method, *arguments)
        self.calls += 1
        try:
            return getattr(self.first, method)(*arguments)
        except BaseException as error:
            self.failed_here.add(self.calls)
            if isinstance(error, Exception) and not isinstance(error, Unsupported):
                self._look_for_an_end()
            raise
        finally:
            self.calls += 1

    def _watch(self) -> None:
        """End this process when another rank has failed and this one has not: it waits for what will never come."""
        watched = {other.faults: other for other in self.others}
        while watched:
            for pipe in wait(list(watched)):
                assert isinstance(pipe, Connection)
                other = watched[pipe]
                try:
                    number, reason = pipe.recv()
                except (EOFError, OSError):
                    del watched[pipe]
                    if not other.closing:
                        self._give_up(f"rank {other.rank} of {self.plan.tp_size} {other.ending()}")
                    continue
                until = time.monotonic() + GRACE
                while self.calls <= number and time.monotonic() < until:
                    time.sleep(0.05)
                sentence = f"rank {other.rank} of {self.plan.tp_size} failed: {reason}"
                if self.calls <= number:
                    self._give_up(sentence)
                if number not in self.failed_here:
                    self.failed_there = sentence

    def _look_for_an_end(self) -> None:
        """Where another rank has ended, that is what to tell, and not that gloo's sockets have closed, of which a call here fails."""
        until = time.monotonic() + SEEN
        while time.monotonic() < until:
            for other in self.others:
                if other.process.poll() is not None:
                    self._give_up(f"rank {other.rank} of {self.plan.tp_size} {other.ending()}")
            time.sleep(0.05)

    def _give_up(self, sentence: str) -> None:
        self.giving_up.acquire()  # for good: whoever comes second has nothing to add
        shutil.rmtree(Path(self.store).parent, ignore_errors=True)
        print(sentence, flush=True)
        sys.stderr.flush()
        os._exit(DIED)


class _Other:
    """Another rank: its process, and two pipes, one for commands and answers, one for what went wrong."""

    def __init__(self, name: str, plan: Plan, store: str) -> None:
        self.rank, self.closing, self.sent, self.answered = plan.rank, False, 0, 0
        self.commands, commands_there = Pipe()
        self.faults, faults_there = Pipe(duplex=False)
        ends = (commands_there.fileno(), faults_there.fileno())
        threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(plan.threads))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "trtbench.lanes.rank_process", *map(str, ends)],
            stdin=subprocess.DEVNULL,
            env={**os.environ, **threads},
            pass_fds=ends,
        )
        commands_there.close()
        faults_there.close()
        self.commands.send((name, plan, store))

    def send(self, method: str, *arguments: Any) -> None:
        """Tell the rank what to do; one that has ended is told of by its other pipe."""
        with contextlib.suppress(OSError):
            # The number is that of `Ranks.calls` while the command is under way.
            self.commands.send((2 * self.sent + 1, method, arguments))
        self.sent += 1

    def answer(self) -> Any:
        """What the last command returned there, once it is over; None for those that return nothing, and where it failed."""
        value = None
        while self.answered < self.sent:
            self.answered += 1
            with contextlib.suppress(EOFError, OSError):
                value = self.commands.recv()
        return value

    def ending(self) -> str:
        """How its process ended, as half a sentence."""
        try:
            status = self.process.wait(ENDING)
        except subprocess.TimeoutExpired:
            return "stopped answering"
        return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"

    def end(self) -> None:
        try:
            self.process.wait(ENDING)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def join(plan: Plan, store: str) -> None:
    """Make this process rank `plan.rank` of the group; `store` is a file through which the ranks find one another."""
    import datetime

    import torch
    import torch.distributed

    on_card = plan.device == "cuda"
    # Transformers reads these; the sockets are of one machine.
    os.environ.update(RANK=str(plan.rank), LOCAL_RANK=str(plan.rank), WORLD_SIZE=str(plan.tp_size))
    for name in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
        os.environ.setdefault(name, "lo0" if sys.platform == "darwin" else "lo")
    if on_card:
        torch.cuda.set_device(plan.rank)
    torch.distributed.init_process_group(
        "nccl" if on_card else "gloo",
        init_method=f"file://{store}",
        rank=plan.rank,
        world_size=plan.tp_size,
        timeout=datetime.timedelta(minutes=10),
        device_id=torch.device("cuda", plan.rank) if on_card else None,
    )


def leave() -> None:
    """Leave the group, where this process is in one. That of NCCL goes with the process: to destroy it waits for as long as a CUDA graph
    holds one of its calls, and whatever compiled a graph may keep it."""
    import torch.distributed

    if torch.distributed.is_initialized() and torch.distributed.get_backend() != "nccl":
        torch.distributed.destroy_process_group()


def transport() -> str:
    """What the ranks exchange their sums over, as a note."""
    import torch.distributed

    if torch.distributed.get_backend() != "nccl":
        return "tensor parallel, one process a rank, all-reduce over gloo"
    import torch.cuda.nccl

    version = ".".join(map(str, torch.cuda.nccl.version()))
    multicast = "off" if os.environ.get("NCCL_NVLS_ENABLE") == "0" else "as NCCL takes it"
    return f"tensor parallel, one process a card, all-reduce over NCCL {version}, NVLink multicast {multicast}"
