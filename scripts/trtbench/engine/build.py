"""Build TensorRT engines: download, convert_checkpoint.py or quantize.py, trtllm-build. What is there is not built again.

python -m trtbench.engine [--rebuild] [settings]
"""

from __future__ import annotations

import datetime
import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from trtbench.engine import contract, model_folder, on_disk, plan, preflight, tools
from trtbench.engine.contract import probe
from trtbench.engine.contract.probe import Probe
from trtbench.engine.on_disk import CONFIG, NOTE, Engine, checkpoint_files, engine_files
from trtbench.engine.plan import Inputs
from trtbench.engine.tools import Step
from trtbench.errors import UserError
from trtbench.model import files, finding, folder_view, kv_cache
from trtbench.model.finding import check_lengths
from trtbench.records.files import encode, read_as, whole_folder, write_whole
from trtbench.records.ownership import hand_over_at_exit
from trtbench.records.trial import Model
from trtbench.settings.cells import shapes
from trtbench.settings.knobs import Settings
from trtbench.settings.reading import Parser, add_flags, resolve

Say = Callable[[str], None]


class Checkpoint(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """checkpoint.json: how the checkpoint beside it was made, and its files' sizes in bytes."""

    step: Step
    files: dict[str, int]


class Build:
    """One call of the command: from settings to engines."""

    def __init__(
        self, settings: Settings, say: Say, rebuild: bool = False, sources: Mapping[str, str] | None = None
    ) -> None:
        self.settings, self.say, self.rebuild, self.sources = settings, say, rebuild, sources or {}
        self.data = settings.data.absolute()
        self.cache = self.data / "cache"
        self.engines = on_disk.home(self.data)
        self.examples = Path(settings.examples_dir or contract.load()["examples_dir"])
        self.precisions = wanted_precisions(settings)
        self.sizes = plan.sizes_for(shapes(settings, "any"))
        self.cards = settings.tp_size

    def run(self) -> list[Path]:
        """Build what is missing; return the folders of all engines that the settings ask for."""
        if contract.tool_path("trtllm-build", self.examples) is None and contract.installed():
            probe.tell_pytorch_runtime(self.examples, self.data, self.say)
        contract.command("trtllm-build", self.examples)
        for precision in self.precisions:
            if plan.precision_row(precision)["via"] == "quantize":
                contract.command("quantize", self.examples)
        for check in preflight.check_machine(self.precisions, self.cards):
            if check.level == "warn":
                self.say(f"warning: {check.sentence} {check.todo}".rstrip())
        with on_disk.locked(self.engines, self.say):
            self._clear_unfinished()
            try:
                return self._build_all()
            finally:
                self._clear_unfinished()

    def _build_all(self) -> list[Path]:
        self.probe = probe.probe(self.examples, self.data, self.say)
        self._refuse_differences({"trtllm-build", *probe.ENGINE_CLASSES})
        folder = finding.resolve(self.settings).absolute()
        self.model = finding.describe(folder, self.settings)
        self.folder = folder_view.for_running(folder, self.cache)
        check_lengths(self.settings, self.model, self.sources)
        if reason := kv_cache.unsplittable(files.read_config(folder), self.cards):
            raise UserError(f"{reason}.")
        self._refuse_differences({self._tool(precision) for precision in self.precisions})
        self.weights = sum(file.stat().st_size for file in files.weight_files(self.folder))
        return [self._engine(precision) for precision in self.precisions]

    def _clear_unfinished(self) -> None:
        """Take away what a failed or killed build left half made; nobody else builds while the lock is held."""
        for folder in (self.engines, self.data / "checkpoints"):
            for unfinished in folder.glob(".*.making"):
                shutil.rmtree(unfinished, ignore_errors=True)

    def _refuse_differences(self, needed: set[str]) -> None:
        probe.refuse(self.probe, needed, self.engines / probe.PROBE)

    def _tool(self, precision: str) -> str:
        return plan.tool_for(self.model.architecture, precision)

    def inputs(self, precision: str) -> Inputs:
        """All that goes into the engine of this precision."""
        return inputs_of(
            self.model,
            precision,
            self.sizes,
            self.examples,
            self.probe,
            preflight.capability(preflight.gpu_in_use()),
            self.cards,
        )

    def _engine(self, precision: str) -> Path:
        """One engine: found whole, or built aside and renamed."""
        inputs = self.inputs(precision)
        name = plan.engine_name(self.model.name, inputs)
        final = self.engines / name
        if (final / NOTE).is_file() and not self.rebuild:
            damage = on_disk.damage(final, read_as(Engine, final / NOTE), self.cache)
            if damage is None:
                self.say(f"engine {name} is there; nothing that went in has changed")
                return final
            self.say(f"{damage}; building it again")
        preflight.check_gpu_memory(self.model, precision, self.cards)
        preflight.check_disk(self.data, self.weights, [precision])
        env = tools.environment(self.cache, self.examples)
        checkpoint, converted, cached = self._checkpoint(precision, inputs, env)
        with whole_folder(final) as making:
            self.say(f"building engine {name}" + (f" for {self.cards} cards" if self.cards > 1 else ""))
            built = tools.run(
                "trtllm-build",
                [
                    *contract.command("trtllm-build", self.examples),
                    *("--checkpoint_dir", str(checkpoint), "--output_dir", str(making)),
                    *inputs.build,
                    *("--output_timing_cache", str(self._timing_cache(inputs))),
                ],
                self._log(name, "build"),
                env,
                self.cache,
            )
            self.say(f"built in {built.seconds:.1f} s")
            _check_written(making, (CONFIG, *engine_files(self.cards)), built)
            engine = self._described(name, inputs, making, checkpoint, [converted, built], cached)
            write_whole(making / NOTE, encode(engine))
        return final

    def _described(
        self, name: str, inputs: Inputs, folder: Path, checkpoint: Path, steps: list[Step], cached: bool
    ) -> Engine:
        gpu = preflight.gpu_in_use()
        engine_files = {file.name: on_disk.file_of(file) for file in sorted(folder.iterdir()) if file.is_file()}
        return Engine(
            schema=1,
            name=name,
            model_name=self.model.name,
            created=datetime.datetime.now(datetime.timezone.utc).isoformat(),
            gpu_name=gpu.name if gpu else None,
            inputs=inputs,
            built=on_disk.read_config(folder),
            simulated=self.probe.simulated or "simulated" in json.loads((folder / CONFIG).read_text(encoding="utf-8")),
            files=engine_files,
            bytes=sum(file.bytes for file in engine_files.values()),
            weights_bytes=sum((checkpoint / file).stat().st_size for file in checkpoint_files(self.cards)),
            build_seconds=round(sum(step.seconds for step in steps), 3),
            steps=[msgspec.structs.replace(steps[0], cached=cached), *steps[1:]],
        )

    def _checkpoint(self, precision: str, inputs: Inputs, env: dict[str, str]) -> tuple[Path, Step, bool]:
        """The checkpoint's folder, how it was made, and whether it was there. It is kept for other sizes, and for a
        build that was stopped after it."""
        name = plan.checkpoint_name(self.model.name, inputs)
        final = self.data / "checkpoints" / name
        note = final / "checkpoint.json"
        if note.is_file() and not self.rebuild:
            noted = read_as(Checkpoint, note)
            if all(
                (final / file).is_file() and (final / file).stat().st_size == size for file, size in noted.files.items()
            ):
                self.say(f"checkpoint {name} is there")
                return final, noted.step, True
        with whole_folder(final) as making:
            step = self._convert(precision, inputs, making, self._log(name, "convert"), env)
            sizes = {file.name: file.stat().st_size for file in making.iterdir() if file.is_file()}
            write_whole(making / "checkpoint.json", encode(Checkpoint(step=step, files=sizes)))
        return final, step, False

    def _convert(self, precision: str, inputs: Inputs, checkpoint: Path, log: Path, env: dict[str, str]) -> Step:
        """Have NVIDIA's tool write the checkpoint into the empty folder `checkpoint`."""
        tool = inputs.tool
        source = model_folder.for_tools(self.folder, self.cache, quantising=tool == "quantize")
        extra = ["--calib_dataset", str(self._calibration(inputs))] if tool == "quantize" else []
        if preflight.too_large_for_gpu(self.weights):
            extra += plan.on_cpu_flags(tool)
        self.say(f"converting {self.model.name} to {precision} with {tool}")
        script = contract.command(tool, self.examples)
        step = tools.run(
            Path(script[-1]).name,
            [*script, "--model_dir", str(source), "--output_dir", str(checkpoint), *inputs.convert, *extra],
            log,
            env,
            self.cache,
        )
        self.say(f"converted in {step.seconds:.1f} s")
        _check_written(checkpoint, (CONFIG, *checkpoint_files(self.cards)), step)
        return step

    def _calibration(self, inputs: Inputs) -> Path:
        """A local data set of the committed prompts: split train, column text, no word in its path that quantize.py
        takes for another kind."""
        folder = self.cache / "calibration" / str(inputs.calibration)
        model_folder.refuse_words(
            folder, model_folder.CALIBRATION_WORDS, "NVIDIA's quantize.py reads another kind of calibration set from"
        )
        lines = [json.dumps({"text": text}, ensure_ascii=False) for text in plan.calibration_texts()]
        write_whole(folder / "train.jsonl", ("\n".join(lines) + "\n").encode())
        return folder

    def _log(self, name: str, step: str) -> Path:
        return self.engines / "logs" / f"{name}-{step}.log"

    def _timing_cache(self, inputs: Inputs) -> Path:
        """TensorRT's own timings of kernels: right for one GPU and one version only."""
        folder = self.cache / "tensorrt"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"timing-{inputs.gpu or 'unknown'}-{inputs.tensorrt}.cache"


def _check_written(folder: Path, names: Sequence[str], step: Step) -> None:
    """Raise UserError when a tool that ended well left a file out, or empty."""
    for name in names:
        if not (folder / name).is_file() or (folder / name).stat().st_size == 0:
            raise UserError(f"{step.name} ended without an error and wrote no {name}; its messages are in {step.log}.")


def wanted_precisions(settings: Settings) -> list[str]:
    """Precisions of PRECISION that engines are built in; auto is float16. Raises UserError when there is none."""
    if settings.precision == ("auto",):
        return ["float16"]
    buildable = contract.load()["precisions"]
    precisions = [precision for precision in settings.precision if precision in buildable]
    if not precisions:
        plan.precision_row(settings.precision[0])
    return precisions


def inputs_of(
    model: Model,
    precision: str,
    sizes: plan.Sizes,
    examples: Path,
    probe: Probe,
    gpu: str | None,
    tp_size: int = 1,
) -> Inputs:
    """All that goes into an engine."""
    tool = plan.tool_for(model.architecture, precision)
    script = contract.tool_path(tool, examples)
    return Inputs(
        model=model.digest,
        architecture=model.architecture,
        precision=precision,
        sizes=sizes,
        tool=tool,
        convert=plan.convert_flags(model.architecture, precision, tp_size),
        script=hashlib.sha256(script.read_bytes()).hexdigest()[:16] if script else "",
        calibration=plan.calibration_digest() if tool == "quantize" else None,
        build=plan.build_flags(sizes, precision, tp_size),
        tensorrt_llm=probe.tensorrt_llm,
        tensorrt=probe.tensorrt,
        gpu=gpu,
        tp_size=tp_size,
    )


def parser() -> Parser:
    command_line = Parser(prog="build_engine.sh", description="Build the TensorRT engines that the settings ask for.")
    command_line.add_argument("--rebuild", action="store_true", help="convert and build again, whatever is there")
    add_flags(command_line)
    return command_line


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 with all engines there, 2 with a sentence otherwise."""
    options = parser().parse_args(arguments)
    settings, sources = resolve(vars(options))
    hand_over_at_exit(settings)
    quiet = settings.log_level == "error"
    for folder in build(settings, (lambda text: None) if quiet else _tell, options.rebuild, sources):
        print(folder)
    return 0


def build(settings: Settings, say: Say, rebuild: bool = False, sources: Mapping[str, str] | None = None) -> list[Path]:
    """Build what is missing; `sources` of the settings say by which names they were given. Raises UserError with one sentence
    for whatever goes wrong."""
    try:
        return Build(settings, say, rebuild, sources).run()
    except OSError as error:
        raise UserError(
            f"{error.filename or settings.data} cannot be written or read ({error.strerror or error}); finished parts "
            "are kept: mend that and run bash scripts/build_engine.sh again."
        ) from None


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
