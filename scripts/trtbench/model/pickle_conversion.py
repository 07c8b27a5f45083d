"""Write a folder of pickle weights as a normal folder of safetensors, all values unchanged.

    python -m trtbench.model.pickle_conversion SOURCE FOLDER BYTES

A process of its own. The files are read by torch's weights-only loading, which builds tensors and plain containers and calls
nothing else that a file names; they are read before transformers is imported. What is written is what transformers loads of
them: it renames what older files call otherwise, and ties what is shared. Ends with one sentence where anything is amiss.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import resource
import shutil
import sys
import threading
import time
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from trtbench.errors import first_line
from trtbench.model.files import pickle_files, read_config
from trtbench.model.folder_view import without_foreign
from trtbench.model.hub import TOKENIZER
from trtbench.model.pickled import CONVERTED, first_file, tokenizer_files

OLDEST = (2, 6)  # of torch: before, weights-only loading could be made to run code
SHARD = "5GB"
ROOM = 8 * 2**30  # bytes of memory beside the weights: the libraries, and one file while it is written
COPIES = 3  # of the weights that memory may have to hold
NO_MEMORY = "memory ran out"


def bound(size: int) -> None:
    """Let this process have no more memory than `size` bytes of weights need, and be the first to go where there is less; end
    with the one that started it."""
    with contextlib.suppress(OSError, ValueError):  # a lower limit stands already, or the system has none
        most = COPIES * size + ROOM
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def read(files: Iterable[Path]) -> dict[str, Any]:
    """The tensors of all files by name, as they are stored; files that torch writes today are mapped, not read."""
    import torch

    version = tuple(int(number) for number in re.findall(r"\d+", torch.__version__)[:2])
    if version < OLDEST:
        raise SystemExit(
            f"torch {torch.__version__} is too old: weights-only loading is safe from {'.'.join(map(str, OLDEST))} on"
        )
    state: dict[str, Any] = {}
    for file in files:
        with file.open("rb") as stream:
            begins = stream.read(40)
        if begins.startswith(b"version https://git-lfs"):
            raise SystemExit(f"{file.name} is a pointer of Git LFS, not the file itself: fetch it with git lfs pull")
        mapped = begins.startswith(b"PK\3\4")
        try:
            if mapped:
                _check_archive(file)
            part = torch.load(file, map_location="cpu", weights_only=True, mmap=mapped)
        except MemoryError:
            raise
        except Exception as error:
            raise SystemExit(f"{file.name} {_why(error)}") from None
        if not isinstance(part, dict) or not all(
            isinstance(name, str) and isinstance(tensor, torch.Tensor) for name, tensor in part.items()
        ):
            raise SystemExit(f"{file.name} is not a table of tensors by name, as the weights of a model are")
        state.update({_today(name): tensor for name, tensor in part.items()})
    return state


def _today(name: str) -> str:
    """A tensor's name as files of the first years don't have it. Every transformers takes the old names, but no other engine
    does, and the newer versions write them again where they read them."""
    for before, now in (("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias")):
        if name.endswith(before):
            return name.removesuffix(before) + now
    return name


def _check_archive(file: Path) -> None:
    """torch writes its archives without compression; mapped, a part that has it would be read as if it were numbers."""
    with zipfile.ZipFile(file) as archive:
        if any(name.endswith("/constants.pkl") for name in archive.namelist()):
            raise SystemExit(f"{file.name} is a TorchScript archive, a program with weights; nothing of it was run")
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            raise SystemExit(f"{file.name} is not an archive of torch's: it is compressed")


def _why(error: Exception) -> str:
    """What torch's refusal of a file means; its own message advises to load it without the protection."""
    said = str(error)
    if _is_shortage(error):
        raise SystemExit(NO_MEMORY) from None
    asked = re.search(r"GLOBAL (\S+)", said)
    if asked:
        return f"asks for {asked[1][:100]}, which is no part of weights; nothing of it was run"
    if "legacy .tar" in said:
        return "is in torch's format from before 2016, which can't be read without running what it holds"
    if "Weights only load failed" in said:
        detail = re.search(r"Unsupported operand \d+|Unsupported [^\n.]{1,60}", said)
        return f"is not read by torch's weights-only loading ({detail[0] if detail else 'not weights alone'}); nothing of it was run"
    return f"is not a whole file of weights ({first_line(error)})"


def _is_shortage(error: BaseException) -> bool:
    words = ("allocate memory", "bad_alloc", "Cannot allocate")
    return isinstance(error, MemoryError) or any(word in str(error) for word in words)


def stored_in(state: Mapping[str, Any], shape: Any) -> Any:
    """The precision that holds all tensors of the model `shape` exactly: theirs, where it is one. Buffers that older files also
    hold, and names that the model does not know, don't count."""
    import torch

    prefix = f"{shape.base_model_prefix}."  # of the whole model, which files of the bare one lack
    wanted = {name.removeprefix(prefix): tuple(tensor.shape) for name, tensor in shape.state_dict().items()}
    known = {name: tensor for name, tensor in state.items() if name.removeprefix(prefix) in wanted}
    for name, tensor in known.items():
        right = wanted[name.removeprefix(prefix)]
        if tuple(tensor.shape) != right:
            raise SystemExit(f"{name} has the shape {tuple(tensor.shape)}, and config.json says {right}")
    kinds = {tensor.dtype for tensor in known.values() if tensor.is_floating_point()}
    if not kinds:
        raise SystemExit("none of the names in its files is one of the model that config.json describes")
    return functools.reduce(torch.promote_types, sorted(kinds, key=str))


def write_weights(state: dict[str, Any], source: Path, folder: Path) -> str:
    """Write the weights as transformers loads them; return the name of their precision."""
    import torch
    import transformers

    from trtbench.model.torch_loading import as_argument

    transformers.utils.logging.disable_progress_bar()
    # The configuration that was checked, with nothing in it that names code or another file.
    (folder / "config.json").write_text(json.dumps(without_foreign(read_config(source))), encoding="utf-8")
    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    with torch.device("meta"):
        shape = transformers.AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    dtype = stored_in(state, shape)
    model, loading = type(shape).from_pretrained(
        None, config=config, state_dict=state, output_loading_info=True, **as_argument(dtype)
    )
    missing = sorted(loading["missing_keys"])
    if missing:
        raise SystemExit(
            f"its files lack {missing[0]}{f' and {len(missing) - 1} more' if missing[1:] else ''}, which the model of "
            "config.json has"
        )
    model.generation_config = transformers.GenerationConfig()  # transformers writes none that it finds fault with
    model.save_pretrained(folder, max_shard_size=SHARD)
    return str(dtype).removeprefix("torch.")


def write_description(source: Path, folder: Path, precision: str) -> None:
    """The other files as they are in the source, not as a version of transformers would write them anew: config.json says
    also what the weights were converted from, and their precision."""
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    config.pop("dtype", None)
    origin = first_file([file.name for file in source.iterdir()])
    content = {**config, "torch_dtype": precision, CONVERTED: origin}
    (folder / "config.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    (folder / "generation_config.json").unlink(missing_ok=True)
    for name in ("generation_config.json", "tokenizer_config.json", *TOKENIZER):
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
    for file in folder.glob("*.safetensors"):
        file.chmod((folder / "config.json").stat().st_mode)  # safetensors makes it private


def write_tokenizer(source: Path, folder: Path) -> str:
    """Make tokenizer.json as transformers does, and hold it against the slow tokenizer, where this transformers has one, and
    against the vocabulary; say what was done."""
    import transformers
    from tokenizers import Tokenizer

    from trtbench.model.prompt_files import PROMPTS, read_prompts

    files = tokenizer_files([file.name for file in source.iterdir()]) or ()
    made_of = " and ".join(files)
    kept = {"local_files_only": True, "trust_remote_code": False}
    try:
        fast = transformers.AutoTokenizer.from_pretrained(source, use_fast=True, **kept)
        fast.backend_tokenizer.save(str(folder / "tokenizer.json"))
    except Exception as error:
        raise SystemExit(f"no tokenizer.json can be made of {made_of} ({first_line(error)})") from None
    written = Tokenizer.from_file(str(folder / "tokenizer.json"))
    if "vocab.json" in files:
        vocabulary = json.loads((source / "vocab.json").read_text(encoding="utf-8"))
        if any(written.token_to_id(token) != number for token, number in vocabulary.items()):
            raise SystemExit(f"the tokenizer.json made of {made_of} has other ids than vocab.json")
    try:
        slow = transformers.AutoTokenizer.from_pretrained(source, use_fast=False, **kept)
    except Exception:
        slow = None
    if slow is None or slow.is_fast:
        return f"tokenizer.json was made of {made_of}; this transformers has no slow tokenizer to hold it against"
    for prompt in read_prompts(PROMPTS):
        if written.encode(prompt, add_special_tokens=False).ids != slow.encode(prompt, add_special_tokens=False):
            raise SystemExit(f"the tokenizer.json made of {made_of} gives other ids than the slow tokenizer")
    return f"tokenizer.json was made of {made_of}; it gives the slow tokenizer's ids for the built-in prompts"


def main(source: Path, folder: Path, size: int) -> None:
    """Convert `source`, whose weights take `size` bytes, into the empty `folder`."""
    bound(size)
    try:
        precision = write_weights(read(pickle_files(source)), source, folder)
        write_description(source, folder, precision)
        if not (source / "tokenizer.json").is_file():
            print(write_tokenizer(source, folder))
    except Exception as error:
        raise SystemExit(NO_MEMORY if _is_shortage(error) else first_line(error)) from None


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
