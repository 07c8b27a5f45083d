"""Runs that nobody wrote, for tests/records/test_fuzz.py and benchmarks/fuzz.py: a whole valid run, changed at one place or at
many, and what the readers and all that follows them make of it.

`examples` is a Hypothesis strategy of such changes, and `Runs` lays one out and has it read, audited, compared and
printed, within limits of time and memory. Allowed are a report and a refusal in one sentence.
"""

from __future__ import annotations

import contextlib
import copy
import gc
import gzip
import io
import json
import resource
import shutil
import signal
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from hypothesis import strategies as st

import factory
import liars
from cheats.changes import recorded_earlier
from liars import Story
from trtbench import compare
from trtbench.comparison import bundle, comparing
from trtbench.errors import UserError
from trtbench.records import judgement, run_folder
from trtbench.records.files import encode
from trtbench.records.run import Absent, Compared, Departure, Tried, Unquiet
from trtbench.records.telemetry import Disturbance
from trtbench.records.trial import Energy, EngineMetrics, Failure, LeftOut
from trtbench.referee.audit import audit
from trtbench.settings.cells import Cell

SECONDS = 5.0  # of CPU time for one example; an honest one takes a tenth of a second
WAITING = 30.0  # of the clock
MEMORY = 512 * 2**20  # bytes that an example may take beside what the process has

# By file name in the run's folder (and `bundle` and `report`, which lie beside it): a JSON document, or bytes.
Documents = dict[str, Any]


class Change(NamedTuple):
    """What is changed, in words, and what changes it: documents that it does not change stay the same objects."""

    what: str
    make: Callable[[Documents], object]

    def __repr__(self) -> str:
        return self.what


# A run in which every field of every record is set


def story(**more: Any) -> Story:
    fields: dict[str, Any] = dict(rounds=3, iterations=3, new=8, prompt=16)
    return Story(**{**fields, **more}).tell()


def whole_story(gpu: str | None = "NVIDIA GeForce RTX 4070", cards: int = 2) -> Story:
    """Two lanes over two cards or processes, three rounds, judged; with a retry, a departure, an absent lane, settings tried,
    energy, an engine's own clock."""
    made = story(gpu=gpu, cards=cards)
    if gpu is None:
        made = story(
            gpu=None,
            cards=cards,
            default_precision="float32",
            config=liars.DEMO,
            latency={"pytorch-eager": 2000.0, "onnxruntime": 900.0},
        )
    precision = made.default_precision
    where = dict(batch=1, prompt_length=16, new_tokens=8)
    run = made.run
    run.absent = [Absent(lane="openvino", precision=precision, failure=Failure(phase="load", reason="x", hint="y"))]
    run.departures = [
        Departure(
            lane="vllm", precision=precision, round=1, position=2, rule="ratio",
            cells=[Compared(base="pytorch-eager", ratio=3.0, low=2.5, **where)],
        )
    ]  # fmt: skip
    tried: dict[str, Any] = dict(lane="pytorch-eager", precision=precision, setting="s", seconds=[1.0, 1.1], **where)
    run.tried = [
        Tried(value="", chosen=True, **tried),
        Tried(value="1", chosen=False, failure="no figures", **tried),
    ]
    run.unquiet = Unquiet(position=3, kind="not_quiet", share=0.2)
    for trial in made.trials:
        for record in trial.cells:
            record.energy = Energy(began=1, ended=5 * 10**9 + 1, tokens=40, watts=100.0, idle_watts=20.0)
            record.engine_metrics = EngineMetrics(queued=[10], ttft=[20], e2e=[10**9], reused_blocks=0)
            record.setting = ""
        if trial.statement is not None:
            trial.statement.asked = ["compute_precision", "cuda_graphs"]
        trial.cold.lookup, trial.announced = 10**8, {"tensorrt-llm": "1.2.1"}
        trial.left_out = [LeftOut(kind="close", reason="x")]
        factory.stamped(trial, trial.position * factory.SLOT)
        for card in (trial.telemetry.gpus if trial.telemetry else None) or []:
            card.temperature, card.power, card.utilisation = [50] * 20, [100.0] * 20, [99] * 20
            card.energy, card.idle_power, card.memory_baseline, card.memory_peak = 500.0, 20.0, 2**28, 2**31
            card.memory_total, card.sm_clock_max, card.power_cap_default = 12 * 2**30, 2475, 200.0
    again = msgspec.convert(msgspec.to_builtins(made.trials[-1]), type(made.trials[-1]))
    again.attempt, again.position = 2, again.position + 1
    made.trials[-1].disturbed = [Disturbance(kind="cpu", value=0.5, limit=0.1)]
    failed = factory.trial(
        "openvino", cell=Cell(precision=precision, **where), position=9, failure=Failure(phase="load", reason="x")
    )
    failed.run, failed.settings, failed.model = run.id, made.settings, made.model()
    made.trials += [again, failed]
    for trial in made.trials:
        trial.model.converted = "pytorch_model.bin"
        trial.environment.venv = ".venv-vllm"
    return made.seal()


def earlier_story() -> Story:
    """A run of schema 1: without rules, departures and rounds."""
    made = story(
        gpu=None,
        default_precision="float32",
        config=liars.DEMO,
        latency={"pytorch-eager": 2000.0, "onnxruntime": 900.0},
    )
    run = made.run
    run.schema, run.rules, run.candidates, run.departures = 1, None, None, None
    run.settings = made.settings = {name: value for name, value in run.settings.items() if name != "QUIET"}
    for trial in made.trials:
        recorded_earlier(trial)
        trial.settings = run.settings
    return made.seal()


STORIES: dict[str, Callable[[], Story]] = {
    "on a card": whole_story,
    "on a CPU": lambda: whole_story(None),
    "of schema 1": earlier_story,
}


def documents(told: Story) -> Documents:
    """The run's files as JSON documents."""
    files: dict[str, Any] = {"run.json": told.run, "workload.json": told.workload, judgement.FILE: told.judged}
    files |= {f"trials/{run_folder.trial_name(trial)}": trial for trial in told.trials}
    made = {name: json.loads(msgspec.json.encode(record)) for name, record in files.items()}
    packed = bundle.make(told.run, told.trials, told.judged, told.workload, [])
    findings = audit(told.run, told.trials, told.judged, told.workload)
    report = encode(comparing.compare(told.run, told.trials, findings, told.judged))
    return {**made, "bundle": json.loads(gzip.decompress(packed)), "report": json.loads(report)}


# What is changed

Place = tuple[Any, ...]


def places(document: Any, way: Place = ()) -> Iterator[Place]:
    """Ways to every value in a document, from the outside in."""
    yield way
    parts = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, part in parts:
        yield from places(part, (*way, key))


_KINDS: dict[int, tuple[Any, dict[Place, list[Place]]]] = {}  # of the documents that all examples begin with


def kinds_of_places(document: Any) -> dict[Place, list[Place]]:
    """Ways by what they lead to: those that differ in the number in a list only are of one kind."""
    known = _KINDS.get(id(document))
    if known is not None and known[0] is document:
        return known[1]
    found: dict[Place, list[Place]] = {}
    for way in places(document):
        if way:
            found.setdefault(tuple(0 if isinstance(step, int) else step for step in way), []).append(way)
    return found


def at(document: Any, way: Place) -> Any:
    for step in way:
        document = document[step]
    return document


# What fields take, at its edges; and what hardly any takes.
WHOLE: tuple[Any, ...] = (0, 1, 2, 3, 7, 20, 4096, 10_000, 131_072, 10**6, 10**9, 10**12, 2**53 + 1, 10**18)
BEYOND: tuple[Any, ...] = (-1, -7, 2**31, 2**63 - 1, 2**63, 2**64 - 1, 10**19, 10**40, -(2**31), -(2**63), -(10**18))
REAL: tuple[Any, ...] = (0.0, -0.0, 5e-324, 1e-300, 1e-9, 0.5, 1.0, 1.5, 1000.0, 1e9, 1e15, 1e18)
NO_REAL: tuple[Any, ...] = (-1.0, 1.1e18, 1e300, 1.7e308, -1e308, float("nan"), float("inf"), -float("inf"))
NAMES = (
    "",
    "x",
    "magic",
    "onnxruntime",
    "pytorch-eager",
    "pytorch-tuned",
    "tensorrt-engine",
    "openvino",
    "e2e",
    "cuda:1",
)
NAMES += (
    "float32",
    "float16",
    "int4",
    "fp8",
    "fp64",
    "auto",
    "wait",
    "ratio",
    "level",
    "NaN",
    "1e999",
    "None",
    "3 trials",
)
NAMES += ("20260102-030404", "20260102-030405-2", "../x", "/", ".", "99,999,999 trials", "2026-01-02T03:04:05+00:00")
ODD_NAMES = ("\0", "\x1b[31m", "\ud800", "é" * 9, "%s{}", "<b>", "=1+1", "a\nb", "x" * 300, "x" * 300_000, "9" * 5000)
OTHERS: tuple[Any, ...] = (
    None,
    True,
    False,
    [],
    {},
    "",
    [[]],
    [None],
    [{}],
    {"": None},
    [0] * 50_000,
    ["x"] * 1000,
    [[[1]]],
)
anything = st.sampled_from((*WHOLE, *BEYOND, *REAL, *NO_REAL, *NAMES, *ODD_NAMES, *OTHERS))


@st.composite
def like(draw: Any, value: Any) -> Any:
    """A value of the type that a place has, most of them at an edge of what it takes; one in eight is of any type."""
    how = draw(st.integers(0, 7))
    if value is None or isinstance(value, (bool, dict, list)) or how == 7:
        return draw(anything)
    if isinstance(value, str):
        return draw(
            st.sampled_from(NAMES) if how < 4 else st.sampled_from(ODD_NAMES) if how < 6 else st.text(max_size=20)
        )
    if isinstance(value, int):
        return draw(st.integers(0, 3 * abs(value) + 3) if how < 3 else st.sampled_from(WHOLE if how < 6 else BEYOND))
    return draw(st.floats(0, 3 * abs(value) + 3) if how < 3 else st.sampled_from(REAL if how < 6 else NO_REAL))


@st.composite
def _at_one_place(draw: Any, made: Documents, name: str) -> Change:
    """A value of one kind of place, in one place or in all of them, in one record or in all of its kind."""
    kinds = kinds_of_places(made[name])
    kind = draw(st.sampled_from(sorted(kinds, key=repr)))
    old = at(made[name], kinds[kind][0])
    how = draw(st.sampled_from(("put", "put", "put", "remove", "list" if isinstance(old, list) else "put", "add")))
    value = draw(like(old))
    everywhere = draw(st.booleans())
    all_files = everywhere and draw(st.booleans())
    many = draw(st.sampled_from((0, 2, 3, 1000)))
    order = draw(st.sampled_from(("cut", "times", "reverse", "drop")))

    def change(changed: Documents) -> None:
        names = [n for n in made if n.startswith("trials/")] if all_files and name.startswith("trials/") else [name]
        for each in names:
            if not isinstance(changed.get(each), (dict, list)):
                continue
            ways = kinds_of_places(changed[each]).get(kind, [])
            document = changed[each] = copy.deepcopy(changed[each])
            for way in ways if everywhere else ways[:1]:
                with contextlib.suppress(LookupError, TypeError):
                    _put(document, way, how, value, many, order)

    return Change(f"{name}: {how} {kind} {value!r:.60} {order} {many} {'everywhere' if everywhere else 'once'}", change)


def _put(document: Any, way: Place, how: str, value: Any, many: int, order: str) -> None:
    *outside, last = way
    holder = at(document, tuple(outside))
    old = holder[last]
    if how == "remove":
        del holder[last]
    elif how == "add" and isinstance(old, dict):
        old["extra"] = value
    elif how == "add" and isinstance(old, list):
        old.append(copy.deepcopy(old[-1]) if old else value)
    elif how == "list" and isinstance(old, list):
        holder[last] = {
            "cut": old[:many],
            "times": old * min(many, 3000 // (len(old) or 1) + 1),
            "reverse": old[::-1],
            "drop": old[1:],
        }[order]
    else:
        holder[last] = copy.deepcopy(value)


@st.composite
def _by_name(draw: Any, made: Documents, name: str) -> Change:
    """A value of one name, the same in every record of the run: they agree, and all are wrong."""
    names = sorted({way[-1] for way in kinds_of_places(made[name]) if isinstance(way[-1], str)})
    field = draw(st.sampled_from(names))
    way = next(ways[0] for kind, ways in kinds_of_places(made[name]).items() if kind[-1] == field)
    value = draw(like(at(made[name], way)))

    def change(changed: Documents) -> None:
        for each, document in changed.items():
            if isinstance(document, (dict, list)):
                changed[each] = _renewed(document, field, value)

    return Change(f"every {field} = {value!r:.60}", change)


def _renewed(document: Any, field: str, value: Any) -> Any:
    if isinstance(document, dict):
        return {key: value if key == field else _renewed(part, field, value) for key, part in document.items()}
    return [_renewed(part, field, value) for part in document] if isinstance(document, list) else document


@st.composite
def _bytes(draw: Any, made: Documents, name: str) -> Change:
    """Bytes of one file that are cut, doubled, or another."""
    data = json.dumps(made[name]).encode()
    start = draw(st.integers(0, len(data) - 1))
    length = draw(st.integers(0, 40))
    put = draw(st.sampled_from(ODD_BYTES) | st.binary(max_size=8))
    tail = draw(st.booleans())
    changed_data = data[:start] + put + (b"" if tail else data[start + length :])
    return Change(f"{name}: bytes from {start} on", lambda changed: changed.__setitem__(name, changed_data))


ODD_BYTES = (
    b"",
    b"\x00",
    b"\xff",
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"[" * 3000,
    b'{"a":' * 3000,
    b"9" * 5000,
    b'"kind":"trial",',
    b"\xef\xbb\xbf",
)


@st.composite
def _swap(draw: Any, made: Documents, name: str) -> Change:
    """One file in the place of another, gone, or there twice."""
    other = draw(st.sampled_from(sorted(made)))
    what = draw(st.sampled_from(("as", "gone", "twice")))

    def change(changed: Documents) -> None:
        if what == "gone":
            changed.pop(name, None)
        elif what == "as":
            changed[name] = made[other]
        else:
            changed["trials/x.json"] = made[other]

    return Change(f"{name} {what} {other}", change)


KINDS = ("run.json", "workload.json", judgement.FILE, "trial", "bundle", "report")  # of records


class Example(NamedTuple):
    """A run by name, what is changed in it, how it is given to compare.py (`target`: as the run itself, or as the other side
    of --against) and with which arguments."""

    story: str
    changes: list[Change]
    target: str
    arguments: tuple[str, ...]


def fields(made: dict[str, Documents], kind: str) -> list[tuple[str, Place]]:
    """Every kind of place in records of this kind, each with a run that has it."""
    found: dict[Place, str] = {}
    for story, files in made.items():
        for name, document in files.items():
            if name == kind or (kind == "trial" and name.startswith("trials/")):
                found |= dict.fromkeys(kinds_of_places(document), story)
    return sorted(((story, place) for place, story in found.items()), key=repr)


def examples_at(made: dict[str, Documents], kind: str, story: str, place: Place) -> st.SearchStrategy[Example]:
    """Each edge of its type at this place, in every record of the run that has it: they agree, and all are odd."""
    of_kind = [name for name in made[story] if name == kind or (kind == "trial" and name.startswith("trials/"))]
    ways = {name: kinds_of_places(made[story][name]).get(place, []) for name in of_kind}
    old = next(at(made[story][name], ways[name][0]) for name in of_kind if ways[name])

    def example(value: Any) -> Example:
        def change(changed: Documents) -> None:
            for name in of_kind:
                document = changed[name] = copy.deepcopy(changed[name])
                for way in ways[name]:
                    _put(document, way, "put", value, 0, "")

        return Example(story, [Change(f"{kind}: {place} = {value!r:.60}", change)], "run", ("--no-chart",))

    return st.sampled_from(edges(old)).map(example)


def edges(value: Any) -> tuple[Any, ...]:
    """No value, and a few that are of this one's type and at the edges of what its field takes, or beyond."""
    if isinstance(value, bool):
        return None, not value
    if isinstance(value, int):
        return None, 0, 10**9, 10**18
    if isinstance(value, float):
        return None, 0.0, 5e-324, 1e18
    if isinstance(value, str):
        return None, "", "20260102-030404", "x" * 300_000
    return None, [], {}


@st.composite
def examples(draw: Any, made: dict[str, Documents], kind: str | None = None) -> Example:
    """One to three changes of one of these runs, all in files of one kind (`kind`, or any)."""
    story = draw(st.sampled_from(sorted(made)))
    kind = kind or draw(st.sampled_from(KINDS))
    trials = [name for name in made[story] if name.startswith("trials/")]
    beside = {"bundle": ("bundle",), "report": ("report",)}
    target = draw(st.sampled_from(beside.get(kind, ("run", "run", "run", "folder"))))
    changes = []
    for _ in range(draw(st.sampled_from((1, 1, 1, 2, 3)))):
        file = draw(st.sampled_from((trials[0], trials[-1]))) if kind == "trial" else kind
        how = draw(st.integers(0, 15))
        of = _bytes if how == 14 else _swap if how == 15 else _by_name if how < 5 else _at_one_place
        changes.append(draw(of(made[story], file)))
    chart = draw(st.integers(0, 99)) == 57  # a second each
    return Example(story, changes, target, (*draw(st.sampled_from(WAYS)), *(() if chart else ("--no-chart",))))


# What comes of it


class Outcome(NamedTuple):
    """`kind`: report, refused, traceback, hang or memory; `said`: the sentence, or where it happened."""

    kind: str
    said: str


class Hang(BaseException):
    """An example took longer than it may."""


@contextlib.contextmanager
def limits(seconds: float = SECONDS, waiting: float = WAITING, memory: int = MEMORY) -> Iterator[None]:
    """Raise Hang after so many seconds of this process's CPU time, or so many of the clock (whatever waits takes no CPU time),
    and MemoryError for so many bytes beside what the process has."""

    def stop(signum: int, frame: Any) -> None:
        raise Hang

    with open("/proc/self/statm") as file:
        here = int(file.read().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    timers = ((signal.ITIMER_PROF, signal.SIGPROF, seconds), (signal.ITIMER_REAL, signal.SIGALRM, waiting))
    before = [signal.signal(number, stop) for _, number, _ in timers]
    resource.setrlimit(resource.RLIMIT_AS, (here + memory, hard))
    for timer, _, most in timers:
        signal.setitimer(timer, most)
    try:
        yield
    finally:
        for (timer, number, _), handler in zip(timers, before):
            signal.setitimer(timer, 0)
            signal.signal(number, handler)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


WAYS = [("--format", kind, "--report-lang", lang) for kind in compare.FORMATS for lang in ("en", "fr")]


class Made(dict[str, Documents]):
    """The documents of runs by name; told in a word where an example is printed."""

    def __repr__(self) -> str:
        return "the runs"


class Runs:
    """The honest runs, their documents, and a folder to lay examples out in."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.made = Made({name: documents(tell()) for name, tell in STORIES.items()})
        for made in self.made.values():
            _KINDS.update({id(document): (document, kinds_of_places(document)) for document in made.values()})
        self.written = {id(document): _written(document) for made in self.made.values() for document in made.values()}

    def outcome(self, example: Example) -> Outcome:
        """What comes of an example."""
        made = self.made[example.story]
        changed = dict(made)
        for change in example.changes:
            change.make(changed)
        results = self.scratch / "results"
        shutil.rmtree(results, ignore_errors=True)
        own = example.target == "run"
        self.lay(run_folder.folder(results, factory.RUN), changed if own else made)
        if own:
            return outcome(results, (*example.arguments, "--bundle", str(results / "new.gz")))
        other = results / example.target
        if example.target == "folder":
            self.lay(other, changed)
        else:
            data = self.bytes_of(changed.get(example.target, b""))
            other.write_bytes(gzip.compress(data, 1) if example.target == "bundle" else data)
        return outcome(results, (*example.arguments, "--against", str(other)))

    def lay(self, home: Path, made: Documents) -> None:
        (home / "trials").mkdir(parents=True)
        for name, document in made.items():
            if name not in ("bundle", "report"):
                (home / name).write_bytes(self.bytes_of(document))

    def bytes_of(self, document: Any) -> bytes:
        return self.written.get(id(document)) or _written(document)


def _written(document: Any) -> bytes:
    return document if isinstance(document, bytes) else json.dumps(document).encode("utf-8", "surrogatepass")


def outcome(results: Path, arguments: tuple[str, ...]) -> Outcome:
    """What `compare.py --results-dir RESULTS ARGUMENTS` comes to."""
    told = io.StringIO()
    try:
        with limits(), contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
            status = compare.main(["--results-dir", str(results), *arguments])
    except UserError as error:
        sentence = str(error)
        if sentence.isprintable() and len(sentence) < 600:
            return Outcome("refused", sentence)
        return Outcome("traceback", f"no plain sentence: {sentence[:600]!r}")
    except Hang as hang:
        return Outcome("hang", _where(hang))
    except MemoryError as error:
        gc.collect()
        return Outcome("memory", _where(error))
    except (Exception, SystemExit) as error:
        return Outcome("traceback", f"{type(error).__name__}: {str(error)[:120]} at {_where(error)}")
    strays = sorted(path.name for path in (results / "runs").iterdir() if path.name != factory.RUN)
    if strays:
        return Outcome("traceback", f"it wrote into another run's folder: {strays}")
    return Outcome("report", str(status))


def _where(error: BaseException) -> str:
    """The last places in our own code, innermost last."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "trtbench" in f.filename]
    return " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(frames[-3:]))
