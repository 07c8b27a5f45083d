"""Models from the Hub, against a hub on loopback: what is fetched, what is refused, and in which words."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pickles
from hub_server import COMMIT, Hub, Refusal
from trtbench.model import hub as hub_module
from trtbench.model.synthetic import Shape, write_synthetic

ROOT = Path(__file__).resolve().parents[2]
SECRET = "hf_thisIsTheSecretOfTheTest"
# The step before any benchmark: from settings to the folder of the model.
RESOLVE = """
import pathlib
from trtbench import errors
from trtbench.model import finding
from trtbench.settings import reading
def main():
    settings, _ = reading.resolve({}, file=pathlib.Path("no-such-file"))
    folder = finding.resolve(settings)
    print(folder, finding.describe(folder, settings).revision)
    return 0
errors.run_main(main)
"""
ALLOWED = {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"}
CHUNK = 10 * 2**20  # huggingface_hub hands data on in pieces of this size


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("tiny")
    write_synthetic(folder, Shape(hidden=64, layers=1, heads=4, kv_heads=2, intermediate=128, vocab=2048), seed=1)
    return contents(folder)


@pytest.fixture(scope="session")
def big(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Weights of 25 MB: more than two of the library's pieces, so that a cut leaves something to go on from."""
    folder = tmp_path_factory.mktemp("big")
    write_synthetic(folder, Shape(hidden=256, layers=1, heads=4, kv_heads=2, intermediate=128, vocab=24000), seed=1)
    return contents(folder)


@pytest.fixture
def hub(tiny: dict[str, bytes]) -> Iterator[Hub]:
    made = Hub(tiny)
    yield made
    made.close()


class User:
    """Someone with a home and a data folder, who runs commands against a hub."""

    def __init__(self, folder: Path, hub: Hub) -> None:
        self.home, self.data, self.hub = folder / "home", folder / "data", hub
        self.home.mkdir()

    def run(self, *arguments: str, stderr: int = subprocess.PIPE, **settings: str) -> subprocess.CompletedProcess[str]:
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "PYTHONPATH": str(ROOT / "scripts"),
            "HF_ENDPOINT": self.hub.url,
            "HF_HUB_ETAG_TIMEOUT": "2",
            "HF_HUB_DOWNLOAD_TIMEOUT": "1",
            "MODEL_NAME": "org/tiny",
            "DATA_DIR": str(self.data),
            **settings,
        }
        return subprocess.run(
            [sys.executable, *arguments],
            env=env,
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            timeout=240,
            check=False,
        )

    def seen(self, **settings: str) -> str:
        """Fetch with standard error on a terminal of 24 rows and 90 columns; return what stood there."""
        ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 90, 0, 0))
        done = self.run("-c", RESOLVE, stderr=theirs, **settings)
        os.close(theirs)
        os.set_blocking(ours, False)
        try:
            text = os.read(ours, 1 << 20).decode()
        except OSError:  # the other end is closed and nothing was written
            text = ""
        os.close(ours)
        assert done.returncode == 0, text
        return text

    def fetch(self, **settings: str) -> Path:
        """Fetch, expect success, and return the folder."""
        done = self.run("-c", RESOLVE, **settings)
        assert done.returncode == 0, done.stderr
        folder, revision = done.stdout.split()
        assert revision == Path(folder).name
        assert not (self.home / ".cache").exists()
        return Path(folder)

    def refused(self, **settings: str) -> str:
        """Run the benchmark, expect exit status 2 and nothing but one sentence, and return it."""
        done = self.run("-m", "trtbench.bench", "--local", "--no-progress", **settings)
        assert done.returncode == 2, done.stderr
        assert done.stdout == ""
        lines = [line for line in done.stderr.splitlines() if not line.startswith(("downloading ", "converting "))]
        assert len(lines) == 1, done.stderr
        assert lines[0].startswith("error: ")
        assert SECRET not in done.stdout + done.stderr
        assert not (self.home / ".cache").exists()
        assert not list(self.data.glob("results/runs/*"))
        return lines[0]

    def snapshots(self) -> list[str]:
        return sorted(path.name for path in self.data.glob("models/hub/*/snapshots/*"))


@pytest.fixture
def user(tmp_path: Path, hub: Hub) -> User:
    return User(tmp_path, hub)


# What is fetched


def test_only_allowed_files_are_fetched_and_the_configuration_comes_first(user: User, tiny: dict[str, bytes]) -> None:
    for name in (
        "modeling.py",
        "pytorch_model.bin",
        "model.pt",
        "README.md",
        "onnx/model.onnx",
        "consolidated.safetensors",
    ):
        user.hub.files[name] = b"x" * 100
    folder = user.fetch()
    assert folder == user.data / "models/hub/models--org--tiny/snapshots" / COMMIT
    assert contents(folder) == tiny
    asked = user.hub.asked()
    assert sorted(asked) == sorted(ALLOWED)
    assert asked[0] == "config.json"
    assert asked[-1] == "model.safetensors"


def test_a_branch_is_recorded_as_its_commit_and_offline_means_that_commit(user: User) -> None:
    folder = user.fetch()
    user.hub.close()
    assert user.fetch(OFFLINE="1") == folder
    assert user.fetch(HF_HUB_OFFLINE="1") == folder
    assert user.fetch(MODEL_REVISION=COMMIT) == folder


def test_a_commit_that_is_there_is_not_asked_for_again(user: User) -> None:
    user.fetch(MODEL_REVISION=COMMIT)
    seen = len(user.hub.log)
    user.fetch(MODEL_REVISION=COMMIT)
    assert len(user.hub.log) == seen


def test_a_branch_that_moved_is_fetched_anew_and_the_old_commit_stays(user: User) -> None:
    user.fetch()
    moved = "f" * 40
    user.hub.commit, user.hub.refs = moved, {"main": moved, moved: moved, COMMIT: COMMIT}
    assert user.fetch().name == moved
    assert user.snapshots() == [COMMIT, moved]
    assert user.fetch(OFFLINE="1").name == moved


def test_a_pull_request_can_be_named(user: User) -> None:
    user.hub.refs["refs/pr/5"] = COMMIT
    assert user.fetch(MODEL_REVISION="refs/pr/5").name == COMMIT
    assert user.hub.log[0].path == "/api/models/org/tiny/revision/refs%2Fpr%2F5"


def test_the_default_model_is_asked_for_at_its_pinned_commit(user: User, tiny: dict[str, bytes]) -> None:
    (name, commit), *_ = hub_module.PINNED.items()
    user.hub.name, user.hub.commit, user.hub.refs = name, commit, {commit: commit}
    assert user.fetch(MODEL_NAME=name).name == commit
    user.hub.refs["v2"] = user.hub.commit = "e" * 40
    user.hub.refs["e" * 40] = "e" * 40
    assert user.fetch(MODEL_NAME=name, MODEL_REVISION="v2").name == "e" * 40


def test_shards_of_an_index_are_fetched_and_nothing_beside_them(user: User, tiny: dict[str, bytes]) -> None:
    weights = user.hub.files.pop("model.safetensors")
    user.hub.files["part-1.safetensors"] = weights
    user.hub.files["other.safetensors"] = weights
    index = {"weight_map": {"lm_head.weight": "part-1.safetensors"}}
    user.hub.files["model.safetensors.index.json"] = json.dumps(index).encode()
    folder = user.fetch()
    assert [file.name for file in folder.glob("*.safetensors")] == ["part-1.safetensors"]
    assert "other.safetensors" not in user.hub.asked()


def test_weights_of_another_name_or_below_are_not_fetched(user: User) -> None:
    """They are not what transformers loads; what does not lie at the top isn't even named."""
    weights = user.hub.files.pop("model.safetensors")
    for name in ("weights.safetensors", "below/model.safetensors", "../../../../escape.safetensors"):
        user.hub.files[name] = weights
    said = user.refused()
    assert "holds weights.safetensors, and neither model.safetensors nor model.safetensors.index.json" in said
    assert not list(user.data.rglob("*.safetensors")) and not list(user.home.parent.rglob("escape*"))
    assert user.hub.asked() == []


def test_of_weights_that_lie_there_twice_those_that_transformers_loads_are_fetched(user: User) -> None:
    """An index beside model.safetensors stays where it is too: a runtime that goes by it would find nothing that it names."""
    user.hub.files["model-00001-of-00001.safetensors"] = user.hub.files["model.safetensors"]
    index = {"weight_map": {"lm_head.weight": "model-00001-of-00001.safetensors"}}
    user.hub.files["model.safetensors.index.json"] = json.dumps(index).encode()
    folder = user.fetch()
    assert sorted(file.name for file in folder.glob("model*")) == ["model.safetensors"]


def test_a_model_with_code_that_transformers_needs_not_comes_without_it(user: User, tiny: dict[str, bytes]) -> None:
    user.hub.files |= {
        "config.json": json.dumps({**json.loads(tiny["config.json"]), "auto_map": {"AutoModel": "own.Own"}}).encode(),
        "own.py": b"raise SystemExit",
    }
    folder = user.fetch()
    assert not list(user.data.rglob("*.py")) and "own.py" not in user.hub.asked()
    assert "auto_map" in json.loads((folder / "config.json").read_text()), "the folder is the Hub's, byte by byte"


def test_redirects_are_followed_and_the_token_does_not_leave_the_hub(user: User, tiny: dict[str, bytes]) -> None:
    storage = Hub(tiny)
    try:
        user.hub.storage = storage
        user.hub.moved["old/name"] = "org/tiny"
        folder = user.fetch(MODEL_NAME="old/name", HF_TOKEN=SECRET)
        assert contents(folder) == tiny
        assert {request.authorization for request in user.hub.log} == {f"Bearer {SECRET}"}
        assert storage.log
        assert {request.authorization for request in storage.log} == {None}
    finally:
        storage.close()


def test_a_token_of_the_users_own_cache_is_not_taken(user: User) -> None:
    (user.home / "hf").mkdir()
    (user.home / "hf" / "token").write_text("hf_someone")
    user.fetch(HF_HOME=str(user.home / "hf"))
    assert {request.authorization for request in user.hub.log} == {None}
    assert os.listdir(user.home / "hf") == ["token"]


def test_a_mirror_without_sizes_and_hashes_is_taken(user: User, tiny: dict[str, bytes]) -> None:
    user.hub.hidden = set(tiny)
    assert contents(user.fetch()) == tiny


def test_a_terminal_sees_a_progress_bar_unless_it_is_to_be_quiet(user: User) -> None:
    seen = user.seen()
    assert re.search(r"model\.safetensors: 100%\|█+\|", seen), seen
    shutil.rmtree(user.data)
    assert user.seen(LOG_LEVEL="error") == ""


def test_two_runs_at_once_download_once(user: User) -> None:
    user.hub.stalls["tokenizer.json"] = [0.8]
    folders: list[Path] = []
    threads = [threading.Thread(target=lambda: folders.append(user.fetch())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(folders) == 2
    assert folders[0] == folders[1]
    assert user.hub.asked().count("model.safetensors") == 1


def test_a_whole_benchmark_and_again_without_the_hub(user: User) -> None:
    small = {
        "LANES": "pytorch-eager",
        "TRIALS": "1",
        "QUIET": "warn",
        "NUM_ITERATIONS": "1",
        "WARMUP_LIMIT": "1",
        "PROMPT_LENGTHS": "8",
        "NEW_TOKENS": "4",
        "THREADS": "1",
        "HF_TOKEN": SECRET,
    }
    first = user.run("-m", "trtbench.bench", "--local", **small)
    assert first.returncode == 0, first.stderr
    assert f"downloading org/tiny at {COMMIT[:12]}" in first.stderr
    user.hub.close()
    again = user.run("-m", "trtbench.bench", "--local", "--new-run", OFFLINE="1", **small)
    assert again.returncode == 0, again.stderr
    assert "downloading" not in again.stderr
    trials = [json.loads(path.read_text()) for path in sorted(user.data.glob("results/runs/*/trials/*.json"))]
    assert len(trials) == 2
    for trial in trials:
        assert trial["failure"] is None
        assert trial["model"]["source"] == "hub"
        assert trial["model"]["revision"] == COMMIT
        assert trial["model"]["synthetic"] is False
    assert trials[0]["model"]["digest"] == trials[1]["model"]["digest"]
    for path in user.data.rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path


def test_a_busy_machine_is_told_before_the_download(user: User) -> None:
    user.hub.close()
    neighbour = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        done = user.run("-m", "trtbench.bench", "--local", QUIET="warn")
    finally:
        neighbour.kill()
        neighbour.wait()
    assert done.returncode == 2
    noise, *_, refusal = done.stderr.splitlines()
    assert noise.startswith("this machine is not quiet: ")
    assert refusal.startswith("error: ")


# What is cut off, late or wrong


def test_a_cut_connection_is_taken_up_where_it_was_cut(user: User, big: dict[str, bytes]) -> None:
    user.hub.files = dict(big)
    user.hub.cuts["model.safetensors"] = [CHUNK + 1000, CHUNK + 1000]
    assert contents(user.fetch()) == big
    ranges = [request.range for request in user.hub.log if request.path.endswith("model.safetensors")]
    assert ranges == [None, f"bytes={CHUNK}-", f"bytes={2 * CHUNK}-"]


def test_a_run_that_was_cut_off_is_resumed_by_the_next(user: User, big: dict[str, bytes]) -> None:
    user.hub.files = dict(big)
    user.hub.cuts["model.safetensors"] = [CHUNK + 1000]
    user.hub.dies.add("model.safetensors")
    said = user.refused()
    assert "answered 503" in said
    assert "what has arrived is kept" in said
    assert user.snapshots() == []
    assert "OFFLINE=1 forbids the network" in user.refused(OFFLINE="1")
    user.hub.dies.clear()
    seen = len(user.hub.log)
    assert contents(user.fetch()) == big
    fetched = [(r.path.rsplit("/", 1)[1], r.range) for r in user.hub.log[seen:] if "/resolve/" in r.path]
    assert fetched == [("model.safetensors", f"bytes={CHUNK}-")]


def test_a_process_that_was_killed_leaves_nothing_that_reads_as_whole(user: User, big: dict[str, bytes]) -> None:
    user.hub.files = dict(big)
    user.hub.cuts["model.safetensors"] = [CHUNK + 1000]
    user.hub.stalls["model.safetensors"] = [0, 30]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "scripts"), "HF_ENDPOINT": user.hub.url, "MODEL_NAME": "org/tiny"}
    env.update(DATA_DIR=str(user.data), HOME=str(user.home), HF_HUB_DOWNLOAD_TIMEOUT="60")
    process = subprocess.Popen([sys.executable, "-c", RESOLVE], env=env, stderr=subprocess.DEVNULL)
    while user.hub.stalls["model.safetensors"]:
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert user.snapshots() == []
    assert "not in" in user.refused(OFFLINE="1", MODEL_REVISION=COMMIT)
    assert contents(user.fetch()) == big
    assert user.hub.log[-1].range == f"bytes={CHUNK}-"


def test_a_hub_without_ranges_starts_again_and_ends_right(user: User, big: dict[str, bytes]) -> None:
    user.hub.files, user.hub.ranges = dict(big), False
    user.hub.cuts["model.safetensors"] = [CHUNK + 1000]
    assert contents(user.fetch()) == big


def test_a_request_that_stalls_is_given_up_and_made_again(user: User, tiny: dict[str, bytes]) -> None:
    user.hub.stalls["model.safetensors"] = [5]
    assert contents(user.fetch()) == tiny
    assert user.hub.asked().count("model.safetensors") == 2


def test_wrong_weights_are_refused_and_thrown_away(user: User, tiny: dict[str, bytes]) -> None:
    right = tiny["model.safetensors"]
    user.hub.wrong["model.safetensors"] = right[:-1] + bytes([right[-1] ^ 1])
    said = user.refused()
    assert "org/tiny/model.safetensors is not what it lists (SHA-256 differs)" in said
    assert user.snapshots() == []
    assert not list(user.data.rglob("*.part"))
    user.hub.wrong.clear()
    assert contents(user.fetch()) == tiny


def test_a_wrong_small_file_is_refused_too(user: User, tiny: dict[str, bytes]) -> None:
    user.hub.wrong["tokenizer.json"] = tiny["tokenizer.json"].replace(b"a", b"b", 1)
    assert "org/tiny/tokenizer.json is not what it lists (Git blob id differs)" in user.refused()
    assert "model.safetensors" not in user.hub.asked()


def test_a_wrong_part_of_an_earlier_run_is_replaced(user: User, tiny: dict[str, bytes]) -> None:
    making = user.data / "models/hub/models--org--tiny" / f".{COMMIT}.partial"
    making.mkdir(parents=True)
    (making / "model.safetensors.part").write_bytes(b"z" * 1000)
    (making / "tokenizer.json.part").write_bytes(b"z" * (len(tiny["tokenizer.json"]) + 1))
    assert contents(user.fetch()) == tiny


def test_damage_after_the_download_is_seen_and_the_way_out_named(user: User) -> None:
    folder = user.fetch()
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    said = user.refused()
    assert "not a whole safetensors file" in said
    assert f"Delete {folder}" in said
    shutil.rmtree(folder)
    assert user.fetch() == folder


# Weights that are there as pickle alone


@pytest.fixture(scope="session")
def old(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A list as those of facebook/opt-1.3b and microsoft/DialoGPT-medium: weights in pickle, here in two, and a slow tokenizer."""
    tensors = list(pickles.random_model(pickles.OPT, "float16").state_dict().items())
    parts = [dict(tensors[:9]), dict(tensors[9:])]
    return contents(pickles.write_folder(tmp_path_factory.mktemp("old") / "opt", pickles.OPT, parts))


def test_pickle_is_fetched_checked_and_converted_where_the_setting_says_so(user: User, old: dict[str, bytes]) -> None:
    user.hub.files = {**old, "flax_model.msgpack": b"x", "training_args.bin": b"x", "rust_model.ot": b"x"}
    right = old["pytorch_model-00002-of-00002.bin"]
    user.hub.wrong["pytorch_model-00002-of-00002.bin"] = right[:-1] + bytes([right[-1] ^ 1])
    said = user.refused(CONVERT_PICKLE="1")
    assert "pytorch_model-00002-of-00002.bin is not what it lists (SHA-256 differs)" in said
    assert not (user.data / "models" / "converted").exists()
    user.hub.wrong.clear()
    folder = user.fetch(CONVERT_PICKLE="1")  # the record names the commit
    assert folder.parents[2] == user.data / "models" / "converted"
    assert sorted(set(user.hub.asked())) == sorted(old)
    assert contents(user.data / "models/hub/models--org--tiny/snapshots" / COMMIT) == old
    made = contents(folder)
    assert {"model.safetensors", "tokenizer.json", "config.json"} <= set(made)
    assert not any(name.endswith(".bin") for name in made)
    user.hub.close()
    assert user.fetch(CONVERT_PICKLE="1", OFFLINE="1") == folder
    assert contents(folder) == made
    said = user.refused(OFFLINE="1")
    assert "CONVERT_PICKLE=1" in said and "Delete" not in said


def test_safetensors_are_taken_where_there_are_some_whatever_the_setting(user: User, tiny: dict[str, bytes]) -> None:
    user.hub.files["pytorch_model.bin"] = b"x"
    folder = user.fetch(CONVERT_PICKLE="1")
    assert contents(folder) == tiny
    assert not any(name.endswith(".bin") for name in user.hub.asked())


@pytest.mark.parametrize("shard", ["gone.bin", "../../../escape.bin", "config.json"])
def test_an_index_of_pickle_that_names_something_else_is_refused(user: User, old: dict[str, bytes], shard: str) -> None:
    index = {"weight_map": {"a": shard, "b": "pytorch_model-00001-of-00002.bin"}}
    user.hub.files = {**old, "pytorch_model.bin.index.json": json.dumps(index).encode()}
    said = user.refused(CONVERT_PICKLE="1")
    assert f"lacks {shard!r}, which its pytorch_model.bin.index.json names" in said
    assert not any(name.endswith(".bin") for name in user.hub.asked())


def test_a_model_that_would_run_code_ends_with_one_sentence(user: User, old: dict[str, bytes]) -> None:
    user.hub.files = {name: content for name, content in old.items() if not name.startswith("pytorch_model")}
    user.hub.files["pytorch_model.bin"] = pickles.HARMFUL["os.system"][0]()
    said = user.refused(CONVERT_PICKLE="1")
    assert "pytorch_model.bin asks for posix.system, which is no part of weights; nothing of it was run" in said
    assert not list(user.home.rglob(pickles.MARK)) and not list(user.data.rglob("*.safetensors"))


# What is refused


def test_code_of_the_model_is_refused_before_any_weights(user: User, tiny: dict[str, bytes]) -> None:
    for name, commit in (("config.json", "a" * 40), ("tokenizer_config.json", "b" * 40)):
        user.hub.files = {
            **tiny,
            "config.json": json.dumps({**json.loads(tiny["config.json"]), "model_type": "own"}).encode(),
        }
        user.hub.files |= {
            name: json.dumps({**json.loads(user.hub.files[name]), "auto_map": {"AutoModel": "own.Own"}}).encode(),
            "own.py": b"raise SystemExit",
        }
        user.hub.commit, user.hub.refs = commit, {"main": commit, commit: commit}
        user.hub.log.clear()
        assert f"org/tiny on the Hub/{name} has auto_map" in user.refused()
        assert set(user.hub.asked()) <= {"config.json", "generation_config.json", "tokenizer_config.json"}


def listed(*names: str) -> dict[str, bytes]:
    return dict.fromkeys(names, b"{}")


LISTS: dict[str, tuple[dict[str, bytes], list[str]]] = {
    "pickle only": (
        listed("config.json", "tokenizer.json", "pytorch_model.bin"),
        [
            "has no *.safetensors (only pytorch_model.bin",
            "MODEL_REVISION=refs/pr/5",
            "/org/tiny/discussions",
            "or set CONVERT_PICKLE=1",
            "runs no code",
        ],
    ),
    # the shape of the lists of facebook/opt-1.3b and microsoft/DialoGPT-medium
    "pickle and slow tokenizer": (
        listed("config.json", "vocab.json", "merges.txt", "pytorch_model.bin", "tf_model.h5", "flax_model.msgpack"),
        [
            "has no *.safetensors and no tokenizer.json",
            "which must bring both",
            "save_pretrained",
            "MODEL_REVISION=refs/pr/5",
            "or set CONVERT_PICKLE=1",
        ],
    ),
    "sentencepiece only": (
        listed("config.json", "tokenizer.model", "model.safetensors"),
        ["has no tokenizer.json (only tokenizer.model)", "save_pretrained"],
    ),
    "no configuration": (listed("README.md", "model.gguf"), ["has no config.json"]),
}


@pytest.mark.parametrize("kind", LISTS)
def test_a_list_that_is_no_model_is_refused_without_fetching(user: User, kind: str) -> None:
    files, words = LISTS[kind]
    user.hub.files = files
    said = user.refused()
    for word in words:
        assert word in said
    assert "at main (0123456789ab)" in said
    assert user.hub.asked() == []


def test_a_list_of_pickle_and_no_tokenizer_is_refused_with_the_setting_too(user: User) -> None:
    user.hub.files = listed("config.json", "pytorch_model.bin", "vocab.json")
    said = user.refused(CONVERT_PICKLE="1")
    assert "has no tokenizer.json, and nothing that one can be converted from (vocab.json with merges.txt" in said
    assert user.hub.asked() == []
    user.hub.files = listed("config.json", "tokenizer.json", "tf_model.h5")
    assert "CONVERT_PICKLE" not in user.refused()


@pytest.mark.parametrize("shard", ["gone.safetensors", "../../../escape.safetensors", "pytorch_model.bin"])
def test_an_index_that_names_what_is_not_listed_is_refused(user: User, shard: str) -> None:
    user.hub.files["pytorch_model.bin"] = b"pickle"
    user.hub.files["other.safetensors"] = user.hub.files.pop("model.safetensors")
    user.hub.files["model.safetensors.index.json"] = json.dumps({"weight_map": {"a": shard}}).encode()
    assert f"lacks {shard}" in user.refused()
    assert not any(name.endswith((".safetensors", ".bin")) for name in user.hub.asked())


def test_a_listed_file_that_is_missing_is_named(user: User) -> None:
    user.hub.unserved = {"model.safetensors"}
    said = user.refused()
    assert "lacks model.safetensors" in said
    assert "MODEL_REVISION" in said
    assert user.snapshots() == []


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("where", ["api", "config.json"])
@pytest.mark.parametrize("token", ["", SECRET])
def test_gated(user: User, status: int, where: str, token: str) -> None:
    user.hub.refusals[where] = Refusal(status, "GatedRepo", "Access to model org/tiny is restricted")
    said = user.refused(HF_TOKEN=token)
    assert "MODEL_NAME='org/tiny' is gated" in said
    assert f"accept its licence at {user.hub.url}/org/tiny and set HF_TOKEN" in said
    assert ("that is set has no access" in said) == bool(token)
    assert user.hub.log[-1].authorization == (f"Bearer {token}" if token else None)
    assert "model.safetensors" not in user.hub.asked()


REFUSALS: dict[str, tuple[Refusal, dict[str, str], str]] = {
    "hidden": (Refusal(401, "RepoNotFound"), {}, "shows no MODEL_NAME='org/tiny' without HF_TOKEN"),
    "hidden from this token": (Refusal(401, "RepoNotFound"), {"HF_TOKEN": SECRET}, "to the HF_TOKEN that is set"),
    "bad token": (
        Refusal(401, message="Invalid credentials in Authorization header"),
        {"HF_TOKEN": SECRET},
        "does not take the HF_TOKEN that is set",
    ),
    "absent": (Refusal(404, "RepoNotFound"), {}, "MODEL_NAME='org/tiny' does not exist"),
    "broken": (Refusal(500), {}, "answered 500 when asked for org/tiny"),
}


@pytest.mark.parametrize("kind", REFUSALS)
def test_refusals_of_the_listing(user: User, kind: str) -> None:
    refusal, settings, words = REFUSALS[kind]
    user.hub.refusals["api"] = refusal
    assert words in user.refused(**settings)


def test_a_revision_that_does_not_exist(user: User) -> None:
    said = user.refused(MODEL_REVISION="v9")
    assert "MODEL_REVISION='v9' does not exist for MODEL_NAME='org/tiny'" in said


WAYS_OUT = ("OFFLINE=1", "MODEL_NAME", "HF_ENDPOINT", "HTTPS_PROXY")


def test_a_hub_that_is_down_says_what_to_set_and_no_other_model_is_taken(user: User) -> None:
    user.fetch()  # even what main was the last time is not taken unasked
    user.hub.close()
    said = user.refused()
    assert "cannot be reached for org/tiny ([Errno 111] Connection refused)" in said
    for way in WAYS_OUT:
        assert way in said
    assert not list(user.data.glob("models/synthetic-*"))


def test_a_listing_that_does_not_come_is_given_up(user: User) -> None:
    user.hub.stalls["api"] = [30]
    began = time.monotonic()
    said = user.refused()
    assert time.monotonic() - began < 15
    assert "cannot be reached for org/tiny (timed out)" in said


def test_a_port_that_takes_connections_and_says_nothing(user: User) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        said = user.refused(HF_ENDPOINT=f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert "cannot be reached" in said


@pytest.mark.slow
def test_a_hub_that_dies_on_the_way_ends_the_attempt(user: User, big: dict[str, bytes]) -> None:
    user.hub.files = dict(big)
    user.hub.cuts["model.safetensors"] = [CHUNK + 1000] + [0] * 100
    said = user.refused()
    assert "cannot be reached for org/tiny/model.safetensors" in said
    assert "what has arrived is kept" in said
    assert [path.stat().st_size for path in user.data.rglob("*.part")] == [CHUNK]


@pytest.mark.parametrize("answer", [b"<html>Please sign in to the hotel</html>", b"[]", b"{}", b'{"id": "x"}'])
def test_something_else_than_a_hub(user: User, answer: bytes) -> None:
    user.hub.answer = answer
    assert "HF_ENDPOINT" in user.refused()


def test_offline_without_the_model(user: User) -> None:
    for setting in ({"OFFLINE": "1"}, {"HF_HUB_OFFLINE": "1"}, {"TRANSFORMERS_OFFLINE": "yes"}):
        (name, value), *_ = setting.items()
        said = user.refused(**setting)
        assert f"{name}={value} forbids the network, and MODEL_NAME='org/tiny' at main is not in" in said
    assert user.hub.log == []


def test_offline_with_another_commit_names_it(user: User) -> None:
    user.fetch()
    assert f"there: {COMMIT}, to be named with MODEL_REVISION" in user.refused(OFFLINE="1", MODEL_REVISION="v2")


def test_too_little_disk_is_said_before_the_weights(user: User) -> None:
    user.hub.sizes["model.safetensors"] = 40 * 10**9
    free = shutil.disk_usage(user.home).free
    if free > 39 * 10**9:
        user.hub.files.update({f"x{i}.safetensors": b"" for i in range(free // (40 * 10**9) + 1)})
        user.hub.sizes.update({name: 40 * 10**9 for name in user.hub.files if name.startswith("x")})
        index = {"weight_map": {name: name for name in user.hub.sizes if name.startswith("x")}}
        user.hub.files["model.safetensors.index.json"] = json.dumps(index).encode()
        del user.hub.files["model.safetensors"]
    said = user.refused()
    assert "GB of disk, and" in said
    assert "DATA_DIR" in said
    assert not any(name.endswith(".safetensors") for name in user.hub.asked())


def test_a_file_beyond_what_https_serves(user: User) -> None:
    user.hub.sizes["model.safetensors"] = 60 * 10**9
    said = user.refused()
    assert "has 60 GB" in said
    assert "set MODEL_NAME to its folder" in said


def test_a_data_folder_that_cannot_be_written(user: User) -> None:
    user.data.mkdir()
    (user.data / "models").write_text("a file, so that it refuses root as well")
    assert "DATA_DIR must name a folder that belongs to you" in user.refused()


BAD: list[tuple[dict[str, Any], str]] = [
    ({"MODEL_NAME": "not/a/model"}, "MODEL_NAME='not/a/model' is neither a folder that exists nor a Hub id"),
    ({"MODEL_NAME": "org/../tiny", "MODEL_SOURCE": "hub"}, "is neither a folder that exists nor a Hub id"),
    ({"HF_ENDPOINT": "huggingface.co"}, "HF_ENDPOINT='huggingface.co' is not an address"),
    ({"HF_TOKEN": "hf_ö"}, "HF_TOKEN holds characters that no token has"),
    ({"HTTP_PROXY": "nonsense://x:1"}, "HTTPS_PROXY"),
    ({"HTTP_PROXY": "http://127.0.0.1:9"}, "cannot be reached"),
    ({"HF_HUB_ETAG_TIMEOUT": "soon"}, "HF_HUB_ETAG_TIMEOUT"),
]


@pytest.mark.parametrize(("settings", "words"), BAD)
def test_bad_settings(user: User, settings: dict[str, str], words: str) -> None:
    assert words in user.refused(**settings)
    assert user.hub.log == []


def test_a_password_in_the_address_is_not_shown(user: User) -> None:
    user.hub.close()
    said = user.refused(HF_ENDPOINT=user.hub.url.replace("://", f"://me:{SECRET}@"))
    assert "cannot be reached" in said
