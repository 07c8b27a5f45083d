"""A bundle names nobody, keeps what the audit needs, and is read as if an enemy had written it."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import factory
from fuzzing import limits
from trtbench.comparison import bundle, sieve, untrusted
from trtbench.errors import UserError
from trtbench.records.checking import TEXT
from trtbench.records.run import Absent
from trtbench.records.telemetry import Gpu, Telemetry
from trtbench.records.trial import Failure, Trial, checksum
from trtbench.referee.audit import audit

TRIALS = {"pytorch-eager": [241.0, 242.0, 240.0], "onnxruntime": [100.0, 100.5, 99.5]}
HOST, PERSON = "lab-box-17", "marguerite"
SECRETS = (
    *(HOST, "lab-box-17.corp.example", PERSON, "Marguerite", f"/home/{PERSON}", "/srv/models/secret-llm", "C:\\Users\\jdoe"),
    *("10.20.30.41", "fe80::1ff:fe23:4567:890a", "2001:db8::1", "aa:bb:cc:dd:ee:ff", "3f4e5d6c7b8a", "0123456789ab" * 5 + "cdef"),
    *("hf_AbCdEfGhIjKlMnOp", "nvapi-abcdefghijklmnop", "GPU-6a1b2c3d-1111-2222-3333-444455556666", "jdoe", "m@corp.example"),
    *("https://proxy.corp.example:3128/x", "password=hunter22", "~/private/prompts.txt"),
)  # fmt: skip
EVERYWHERE = " ; ".join(SECRETS)


def loud_trials() -> list[Trial]:
    """Records in which every text that could hold one holds a secret."""
    gpu = Gpu(uuid="GPU-6a1b2c3d-1111-2222-3333-444455556666", name="NVIDIA L4", samples=3)
    made = factory.trials(
        TRIALS,
        model=factory.model(name="/srv/models/secret-llm", source=EVERYWHERE, config={"_name_or_path": EVERYWHERE, EVERYWHERE: 1}),
        environment=factory.environment(kernel=f"6.1-{HOST}", container="docker", os=EVERYWHERE, libraries={"numpy": "2.0.0"}),
        settings=factory.settings(model_name="/srv/models/secret-llm", data_dir=f"/home/{PERSON}/data", prompts_file=f"~{PERSON}/p.txt"),
        statement=factory.statement(notes=[EVERYWHERE], versions={"onnxruntime": "1.32.0.1"}, built_from={"gpu": EVERYWHERE}),
        telemetry=Telemetry(gpus=[gpu], problems=[EVERYWHERE]),
    )  # fmt: skip
    broken = Failure(phase="load", reason=EVERYWHERE, hint=f"(log: /home/{PERSON}/data/logs/x.log)")
    return [*made, factory.trial("openvino", position=9, failure=broken)]


def loud_run() -> Any:
    absent = [Absent(lane="openvino", precision="float32", failure=Failure(phase="x", reason=EVERYWHERE))]
    return factory.run(
        absent=absent, stopped=EVERYWHERE, command=f"bash {EVERYWHERE}", settings=loud_trials()[0].settings
    )


def made(trials: list[Trial] | None = None, run: Any = None, workload: Any = None) -> bytes:
    return bundle.make(run or factory.run(), trials or factory.trials(TRIALS), None, workload, [HOST])


def test_nothing_that_tells_who_or_where_is_in_a_bundle() -> None:
    content = gzip.decompress(made(loud_trials(), loud_run())).decode()
    said = [secret for secret in SECRETS if secret.lower() in content.lower().replace("\\\\", "\\")]
    assert said == []
    for part in ("marguerite", "secret-llm", "corp.example", "hunter22", "jdoe"):
        assert part not in content.lower()


def test_this_machine_and_this_person_are_not_in_a_bundle() -> None:
    trials = factory.trials(TRIALS)
    here = [name for name in sieve.names_here() if len(name) > 2 and name not in ("root", "localhost")]
    trials[0].environment.os = f"Linux on {' and '.join(here)}"
    content = gzip.decompress(bundle.make(factory.run(), trials, None, None, sieve.names_here())).decode()
    assert [name for name in here if name in content] == []


def test_what_the_audit_and_a_reader_need_stays() -> None:
    trials = loud_trials()
    trials[0].environment.venv = ".venv-vllm"
    content = json.loads(gzip.decompress(bundle.make(loud_run(), trials, None, None, [HOST, "vllm"])))
    first = content["trials"][0]
    assert first["environment"]["venv"] == ".venv-vllm"  # one of our folders, also where somebody is called so
    assert first["cells"][0]["e2e"]["times"] == trials[0].cells[0].e2e.times  # type: ignore[union-attr]
    assert first["environment"]["libraries"] == {"numpy": "2.0.0"}
    assert first["environment"]["cpu_model"] == "Example CPU @ 2.00GHz"
    assert first["statement"]["versions"] == {"onnxruntime": "1.32.0.1"}  # a version, not an address
    assert first["workload_digest"] == trials[0].workload_digest
    assert first["model"]["digest"] == trials[0].model.digest
    assert first["telemetry"]["gpus"][0]["uuid"] == "GPU-0"


def configured(**config: Any) -> Any:
    return factory.model(config={"model_type": "llama", "architectures": ["LlamaForCausalLM"], **config})


def test_a_models_configuration_stays_as_it_lies_in_its_folder() -> None:
    """A digest is over it: every character is needed."""
    model = configured(vocab_size=4096, torch_dtype="bfloat16", rope_theta=1e4)
    content = json.loads(gzip.decompress(made(factory.trials(TRIALS, model=model))))
    kept = content["trials"][0]["model"]
    assert (kept["config_text"], kept["files"]) == (model.config_text, model.files)


@pytest.mark.parametrize(
    "config",
    [
        {"_name_or_path": f"/home/{PERSON}/checkpoint"},
        {"note": f"trained on {HOST}"},
        {"nested": [{"by": "m@corp.example"}]},
        {f"of {HOST}": 1},
    ],
)
def test_a_configuration_that_tells_who_or_where_goes_out_whole(config: dict[str, Any]) -> None:
    trials = factory.trials(TRIALS, model=configured(**config))
    content = json.loads(gzip.decompress(made(trials)))
    assert {(t["model"]["config_text"], t["model"]["files"]) for t in content["trials"]} == {(None, None)}
    bundled = untrusted.decode_as(untrusted.Bundle, gzip.decompress(made(trials)), "x")
    assert "provenance.config_unknown" in {f.code for f in audit(bundled.run, bundled.trials)}
    assert "provenance.config" not in {f.code for f in audit(bundled.run, bundled.trials)}


def test_a_file_of_the_model_that_names_somebody_goes_out_with_the_configuration() -> None:
    model = configured()
    model.files = {**(model.files or {}), f"{HOST}.safetensors": "9" * 64}
    content = gzip.decompress(made(factory.trials(TRIALS, model=model))).decode()
    assert HOST not in content and json.loads(content)["trials"][0]["model"]["config_text"] is None


def test_the_same_run_gives_the_same_bytes_whatever_the_order_of_names() -> None:
    assert made() == made()
    assert bundle.make(factory.run(), factory.trials(TRIALS), None, None, ["bbb", "aaa"]) == bundle.make(
        factory.run(), factory.trials(TRIALS), None, None, ["aaa", "bbb"]
    )


def test_a_bundle_is_audited_like_the_run_it_came_from(tmp_path: Path) -> None:
    """Only what anonymising takes away may change: it is sealed anew, so nothing is called edited."""
    run, trials, workload = factory.run(), factory.trials(TRIALS), factory.a_workload()
    file = tmp_path / "run.gz"
    file.write_bytes(bundle.make(run, trials, None, workload, [HOST, "Example"]))
    there, kind = untrusted.read(file)
    assert kind == "bundle"
    assert there.findings == audit(run, trials, None, workload)
    assert not [f for f in there.findings if f.code == "provenance.changed"]
    assert "[name] Linux" in there.environment.os


def test_the_seal_is_made_anew_and_the_old_one_is_named() -> None:
    trials = loud_trials()
    content = gzip.decompress(made(trials, loud_run()))
    found = untrusted.decode_as(untrusted.Bundle, content, "x")
    assert [t.checksum for t in found.trials] == [checksum(t) for t in found.trials]
    assert found.originals == [t.checksum for t in trials]
    assert found.originals[0] != found.trials[0].checksum


def test_bundling_does_not_launder_an_edited_record(tmp_path: Path) -> None:
    trials = factory.trials(TRIALS)
    assert trials[1].cells[0].e2e is not None
    trials[1].cells[0].e2e.times[0] //= 2
    file = tmp_path / "run.gz"
    file.write_bytes(made(trials))
    assert "provenance.changed" in {f.code for f in untrusted.read(file)[0].findings}


@pytest.mark.parametrize("word", ["x", "a.", "0", "/a", "1:", "eyJ.", "a@", "marguerite ", f"{PERSON}@corp.example "])
def test_a_text_without_end_is_cut_and_sieved_in_no_time(word: str) -> None:
    said = sieve.Sieve([PERSON])
    with limits(seconds=1):
        sieved = said.text(word * (400_000 // len(word)), "reason")
    assert len(sieved) <= TEXT
    assert PERSON not in sieved
    assert said.text(f"{'x ' * (TEXT // 2 - 3)}{PERSON}", "reason").count("marg") == 0  # cut within the name


def test_prompts_of_ones_own_are_left_out() -> None:
    own = factory.run(settings=factory.settings(prompts_file="/home/x/p.txt"))
    assert json.loads(gzip.decompress(made(run=own, workload=factory.a_workload())))["workload"] is None
    assert json.loads(gzip.decompress(made(workload=factory.a_workload())))["workload"]["prompts_name"] == "prompts"


def test_a_file_that_is_no_bundle_is_not_overwritten(tmp_path: Path) -> None:
    mine = tmp_path / "thesis.txt"
    mine.write_text("years of work")
    with pytest.raises(UserError, match="left alone"):
        bundle.write(mine, made())
    assert mine.read_text() == "years of work"
    bundle.write(tmp_path / "b.gz", made())
    bundle.write(tmp_path / "b.gz", made())


# Read as an enemy's


def changed(change: Callable[[dict[str, Any]], Any]) -> bytes:
    document = json.loads(gzip.decompress(made(workload=factory.a_workload())))
    change(document)
    return gzip.compress(json.dumps(document).encode())


def put(*path: Any) -> Callable[[dict[str, Any]], Any]:
    """Set the value at the path; the last two are the key and the value."""
    *way, key, value = path

    def change(document: Any) -> None:
        for step in way:
            document = document[step]
        document[key] = value

    return change


def each(*changes: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
    """Make the changes in every trial."""
    return lambda document: [change(trial) for trial in document["trials"] for change in changes]


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value, "x"]
    return value


FIRST = ("trials", 0)
PASS = (*FIRST, "cells", 0, "e2e")
endless = [put("cells", 0, "cell", name, most) for name, most in (("batch", 4096), ("prompt_length", 131072))]
NONSENSE = {"lane": "magic", "precision": "x", "round": 1, "rule": "y", "cells": []}
HOSTILE: dict[str, tuple[bytes, str]] = {
    "deep": (changed(put(*FIRST, "model", "config", {"x": deep(60)})), "deeper than 24 levels"),
    "very deep": (gzip.compress(b'{"kind":"bundle","note":' + b"[" * 200_000 + b"]" * 200_000 + b"}"), "deep|truncated or not JSON"),
    "wrong type": (changed(put(*PASS, "times", ["1", "2"])), "not a valid bundle record"),
    "nan": (gzip.compress(gzip.decompress(made()).replace(b'"seconds":', b'"seconds":NaN,"x":', 1)), "not JSON|truncated"),
    "infinite": (changed(put(*FIRST, "seconds", 1e308)), ""),
    "beyond a float": (gzip.compress(gzip.decompress(made()).replace(b'"read_bandwidth": 20000000000.0', b'"read_bandwidth": 1e999')), "."),
    "huge number": (changed(put(*PASS, "times", [10**40, 10**40])), "64 bits|not a valid"),
    "no time": (changed(put(*PASS, "times", [0, 0])), "not a valid bundle record"),
    "output beyond": (changed(put(*PASS, "output", [7, 7])), "beyond the 1 stored outputs"),
    "control": (changed(put(*FIRST, "environment", "cpu_model", "\x1b[31mred")), "control characters or markup"),
    "turned around": (changed(put(*FIRST, "environment", "os", "\u202eevil")), "control characters or markup"),
    "markup": (changed(put(*FIRST, "statement", "runtime", "<script>alert(1)</script>")), "control characters or markup"),
    "markup in a key": (changed(put(*FIRST, "environment", "libraries", {"<b>x": "1"})), "control characters or markup"),
    "long text": (changed(put("run", "stopped", "A" * 100_000)), "more than 20,000 characters"),
    "unknown lane": (changed(put(*FIRST, "lane", "magic")), "names the lane 'magic'"),
    "unknown field": (changed(put("evil", 1)), "not a valid bundle record"),
    "other schema": (changed(put("schema", 99)), "has schema version 99"),
    "no trials": (changed(put("trials", [])), "no finished trial"),
    "empty ring": (changed(put("workload", "ring", [])), "do not lie in its ring"),
    "starts beyond": (changed(put("workload", "starts", [0, 10**15])), "do not lie in its ring"),
    "cell of a billion": (changed(put(*FIRST, "cells", 0, "cell", "batch", 10**9)), "Expected `int` <= 4096"),
    "endless prompts": (changed(each(*endless)), "more than 50,000,000 prompt ids"),
    "setting of another type": (changed(put("run", "settings", "EQUIVALENCE_MARGIN", "wide")), "EQUIVALENCE_MARGIN='wide'"),
    "setting gone": (changed(lambda d: d["run"]["settings"].pop("EQUIVALENCE_MARGIN")), "lacks the setting"),
    "iterations of text": (changed(put("run", "settings", "NUM_ITERATIONS", [1])), "NUM_ITERATIONS"),
    "config of nonsense": (changed(each(put("model", "config", {"vocab_size": "x", "hidden_size": {}, "num_hidden_layers": -1}))), "."),
    "level that is none": (changed(put("run", "rules", "candidate_level", 7.0)), "Expected `float` < 1"),
    "departures of nonsense": (changed(put("run", "departures", [NONSENSE])), "."),
    "cut": (made()[:-20], "not a whole gzip file"),
    "garbage behind": (made() + b"evil", "not a whole gzip file"),
    "not a bundle": (b"\x1f\x8b" + os.urandom(100), "not a whole gzip file"),
    "empty": (b"", "truncated or not JSON"),
    "not JSON": (b"\x00\xff\xfe", "not JSON"),
    "another document": (b'{"kind": "comparison"}', "not a valid comparison record"),
    "a list": (b"[[[]]]", "not a valid comparison record"),
}  # fmt: skip


@pytest.mark.parametrize("name", [n for n, (_, said) in HOSTILE.items() if len(said) > 1])
def test_a_hostile_file_is_refused_in_one_sentence(name: str, tmp_path: Path) -> None:
    data, said = HOSTILE[name]
    file = tmp_path / "evil"
    file.write_bytes(data)
    with pytest.raises(UserError) as refused:
        untrusted.read(file)
    assert re.search(said, str(refused.value))
    assert "\n" not in str(refused.value)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("name", [n for n, (_, said) in HOSTILE.items() if len(said) <= 1])
def test_odd_figures_are_refused_or_compared_but_never_crash(name: str, tmp_path: Path) -> None:
    file = tmp_path / "odd"
    file.write_bytes(HOSTILE[name][0])
    status = 0
    try:
        untrusted.read(file)
    except UserError as refused:
        status = str(refused).count("\n") + 2
    assert status in (0, 2)


def test_a_bomb_is_refused_before_it_goes_off(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.gz"
    with gzip.open(bomb, "wb") as file:
        for _ in range(untrusted.UNPACKED // 2**20 + 1):
            file.write(b" " * 2**20)
    assert bomb.stat().st_size < 2**20
    with pytest.raises(UserError, match="unpacks to more than"):
        untrusted.read(bomb)


def test_a_large_file_is_refused_unread(tmp_path: Path) -> None:
    large = tmp_path / "large.json"
    with large.open("wb") as file:
        file.truncate(untrusted.PACKED + 1)
    with pytest.raises(UserError, match="larger than"):
        untrusted.read(large)


def test_an_archive_with_paths_that_lead_out_of_it_is_not_unpacked(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.tar", tmp_path / "a.tar.gz"
    for path, mode in ((plain, "w"), (packed, "w:gz")):
        with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
            member = tarfile.TarInfo("../../escaped.json")
            member.size = 4
            archive.addfile(member, io.BytesIO(b"evil"))
            link = tarfile.TarInfo("trials")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc"
            archive.addfile(link)
    zipped = tmp_path / "a.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("../../escaped.json", "evil")
    for path in (plain, packed, zipped):
        with pytest.raises(UserError, match="archive of files|not JSON"):
            untrusted.read(path)
    assert not list(tmp_path.parent.rglob("escaped.json"))


def test_a_pipe_or_a_device_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(UserError, match="not a regular file"):
            untrusted.read(path)


# Folders and reports


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return factory.store(tmp_path / "theirs", factory.run(), factory.trials(TRIALS))


def test_a_folder_is_read_and_audited_again(folder: Path) -> None:
    there, kind = untrusted.read(folder)
    assert (kind, there.run, len(there.cells[0].figures)) == ("folder", factory.RUN, 2)
    assert there.findings


@pytest.mark.parametrize("what", ["trial", "run", "trials", "pipe"])
def test_links_and_pipes_inside_a_folder_are_refused(folder: Path, what: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("root:x:0:0")
    target = {"run": folder / "run.json", "trials": folder / "trials"}.get(what, next((folder / "trials").iterdir()))
    if what == "trials":
        target.rename(tmp_path / "moved")
        target.symlink_to(tmp_path / "moved")
    else:
        target.unlink()
        os.mkfifo(target) if what == "pipe" else target.symlink_to(secret)
    with pytest.raises(UserError, match="symbolic link|not a regular file") as refused:
        untrusted.read(folder)
    assert "root:x" not in str(refused.value)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no run\.json"):
        untrusted.read(tmp_path)
