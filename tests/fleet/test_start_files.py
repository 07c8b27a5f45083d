"""The files to start a fleet from: each holds by the rules of whoever reads it, and starts Ray as docs/fleet.md says."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from lacking import lacking
from trtbench.fleet import plan
from trtbench.fleet.wanted import Kind
from trtbench.settings.knobs import ROOT

FILES = ROOT / "docs" / "examples" / "fleet"
SLURM = FILES / "slurm.sh"
CLUSTER = FILES / "cluster.yaml"
ON_LOOPBACK = "--dashboard-host=127.0.0.1"
RAY = ROOT / ".venv-fleet" / "bin" / "python"

# srun: what it was called with, and its command once for each node of the job, as Slurm would start it there.
SRUN = """#!/bin/bash
printf '%s\\n' "$@" >"$CALLS/srun"
while [[ $1 = --* ]]; do shift; done
for node in card-1 card-2; do SLURMD_NODENAME=$node "$@" || exit; done
"""
RAY_STUB = """#!/bin/bash
[ "$1" != get-auth-token ] || { umask >"$CALLS/umask"; echo secret; exit; }
printf '%s\\n' "$RAY_AUTH_MODE" "$RAY_USAGE_STATS_ENABLED" "$TRTBENCH_CLONE" "$RAY_TMPDIR" "$PWD" "$@" >"$CALLS/ray-$SLURMD_NODENAME"
exit "${RAY_STATUS:-0}"
"""
SCONTROL = """#!/bin/bash
[ "$*" = "show node --oneliner $SLURMD_NODENAME" ] || exit 9
echo "NodeName=$SLURMD_NODENAME Arch=x86_64 AvailableFeatures=other ActiveFeatures=$FEATURES Gres=gpu:8 State=ALLOCATED"
"""
HOSTNAME = """#!/bin/bash
case $1 in --ip-address) echo "$ADDRESS" ;; --all-ip-addresses) echo "10.0.0.7 172.17.0.1 fe80::1" ;; esac
"""


def test_the_plan_is_taken_and_shows_every_row() -> None:
    wanted = plan.read(FILES / "plan.yaml").wanted()
    assert len({run.id for run in wanted}) == len(wanted) > 8
    rows = yaml.safe_load((FILES / "plan.yaml").read_text(encoding="utf-8"))
    assert set(rows) == set(plan.Plan.__struct_fields__)
    assert {field for kind in rows["kinds"].values() for field in kind} == set(Kind.__struct_fields__)


def test_documents_show_the_rows_of_a_plan() -> None:
    page = (
        (ROOT / "docs" / "fleet.md").read_text(encoding="utf-8").partition("\n## The plan\n")[2].partition("\n## ")[0]
    )
    shown = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert shown == {*plan.Plan.__struct_fields__, *Kind.__struct_fields__}


class Slurm:
    """The sbatch script beside stand-ins for what it calls, on a job of two nodes."""

    def __init__(self, folder: Path) -> None:
        self.calls = folder / "calls"
        self.clone = folder / "the clone"
        here, environment = folder / "bin", self.clone / ".venv-fleet" / "bin"
        for path in (self.calls, here, environment):
            path.mkdir(parents=True)
        stubs = {
            here / "srun": SRUN,
            here / "scontrol": SCONTROL,
            here / "hostname": HOSTNAME,
            environment / "ray": RAY_STUB,
        }
        for path, text in stubs.items():
            path.write_text(text, encoding="utf-8")
            path.chmod(0o755)
        self.environment = {
            "PATH": f"{here}:{os.environ['PATH']}",
            "CALLS": str(self.calls),
            "FEATURES": "epyc,gen-2",
            "ADDRESS": "127.0.1.1",
            "SLURM_JOB_NODELIST": "card-[1-2]",
            "SLURM_JOB_NUM_NODES": "2",
            "SLURM_JOB_ID": f"test-{os.getpid()}",
            "SLURM_SUBMIT_DIR": str(self.clone),
            "SLURM_CPUS_ON_NODE": "16",
        }

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        # Not from the clone: slurmd runs a copy of the script in a folder of its own.
        return subprocess.run(
            ["bash", str(SLURM), *arguments],
            env={**self.environment, **environment},
            cwd=self.calls,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def said(self, name: str) -> list[str]:
        return (self.calls / name).read_text(encoding="utf-8").splitlines()


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[Slurm]:
    made = Slurm(tmp_path)
    yield made
    folder = Path("/tmp") / f"fleet-{made.environment['SLURM_JOB_ID']}"
    if folder.is_dir():
        folder.rmdir()


def test_slurm_starts_ray_on_each_node_and_the_fleet_from_the_head(slurm: Slurm) -> None:
    done = slurm.run("my plan.yaml", "--resume", SLURM_GPUS_ON_NODE="8")
    # The token stands in a file that only its owner reads, and nowhere else.
    assert (done.returncode, done.stdout, done.stderr, slurm.said("umask")) == (0, "", "", ["0077"])
    assert slurm.said("srun")[:4] == ["--no-kill", "--kill-on-bad-exit=0", "--wait=0", "--cpu-bind=none"]
    for node in ("card-1", "card-2"):
        mode, usage, clone, folder, place, *arguments = slurm.said(f"ray-{node}")
        assert (mode, usage, clone, place) == ("token", "0", str(slurm.clone), str(slurm.clone))
        assert folder == f"/tmp/fleet-{slurm.environment['SLURM_JOB_ID']}"
        # The address that hostname names first is loopback, on which no other node finds the head.
        assert arguments[:5] == ["symmetric-run", "--address", "10.0.0.7:6379", "--min-nodes", "2"]
        end = arguments.index("--")
        assert arguments[5:end] == [ON_LOOPBACK, "--num-cpus=16", '--resources={"epyc": 1, "gen-2": 1}', "--num-gpus=8"]
        assert arguments[end + 1 :] == [
            *("bash", "scripts/fleet.sh", "my plan.yaml", "--resume", "--address", "http://127.0.0.1:8265"),
        ]


def test_slurm_takes_what_a_site_gives(slurm: Slurm) -> None:
    """No cards, no features or odd ones, an address named, a clone elsewhere."""
    for features, resources in (("(null)", "{}"), ('a"b,$(x),epyc', '{"epyc": 1}')):
        assert slurm.run("plan.yaml", FEATURES=features, HEAD_IP="10.9.9.9").returncode == 0
        arguments = slurm.said("ray-card-2")
        assert f"--resources={resources}" in arguments and "10.9.9.9:6379" in arguments
        assert not [argument for argument in arguments if argument.startswith("--num-gpus")]
    assert slurm.run("plan.yaml", ADDRESS="10.1.1.1 10.2.2.2").returncode == 0
    assert "10.1.1.1:6379" in slurm.said("ray-card-1")


def test_slurm_ends_as_the_fleet_does(slurm: Slurm) -> None:
    assert slurm.run("plan.yaml", RAY_STATUS="3").returncode == 3


def test_slurm_says_what_is_missing(slurm: Slurm) -> None:
    cases: list[tuple[list[str], dict[str, str], str]] = [
        ([], {}, "It takes a plan"),
        (["plan.yaml"], {"TRTBENCH_CLONE": "/nowhere"}, "/nowhere has no .venv-fleet"),
        (["plan.yaml"], {"SLURM_JOB_NODELIST": ""}, "this is for sbatch"),
    ]
    for arguments, environment, said in cases:
        done = slurm.run(*arguments, **environment)
        assert done.returncode != 0 and said in done.stderr, done.stderr
        assert not (slurm.calls / "srun").exists()


def test_slurm_asks_for_whole_nodes_and_outlives_one() -> None:
    wanted = re.findall(r"^#SBATCH --(\S+)", SLURM.read_text(encoding="utf-8"), re.MULTILINE)
    assert {"exclusive", "ntasks-per-node=1", "mem=0", "no-kill"} <= set(wanted)


def starts(cluster: dict[str, Any]) -> list[str]:
    """The two commands of Ray's launcher that start a node."""
    commands = [*cluster["head_start_ray_commands"], *cluster["worker_start_ray_commands"]]
    return [command for command in commands if "ray start" in command]


def test_the_launchers_commands_keep_the_dashboard_to_itself() -> None:
    cluster = yaml.safe_load(CLUSTER.read_text(encoding="utf-8"))
    head, worker = starts(cluster)
    assert ON_LOOPBACK in head and "--num-cpus=0 --num-gpus=0" in head
    assert "--address=$RAY_HEAD_IP:6379" in worker and "--dashboard-host" not in worker
    for command in (head, worker):
        assert "RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0 TRTBENCH_CLONE=$HOME/trtbench " in command
    assert cluster["file_mounts"] == {"~/.ray/auth_token": "~/.ray/auth_token"}
    assert cluster["provider"]["head_ip"] not in cluster["provider"]["worker_ips"]


def ray(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    if not RAY.is_file():
        lacking(".venv-fleet is not there; bash scripts/fleet.sh --install makes it")
    return subprocess.run([str(RAY), "-c", code, *arguments], capture_output=True, text=True, timeout=120)


def test_ray_takes_the_launchers_file(tmp_path: Path) -> None:
    """By its own schema and its own preparation of a file for `ray up`, which connect to nothing."""
    code = (
        "import sys, yaml\n"
        "from ray.autoscaler._private.util import prepare_config, validate_config\n"
        "config = yaml.safe_load(open(sys.argv[1]))\n"
        "prepared = prepare_config(config)\n"
        "validate_config(prepared)\n"
        "print(prepared['max_workers'])\n"
    )
    done = ray(code, str(CLUSTER))
    cluster = yaml.safe_load(CLUSTER.read_text(encoding="utf-8"))
    assert (done.returncode, done.stdout.strip()) == (0, str(len(cluster["provider"]["worker_ips"]))), done.stderr
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(yaml.safe_dump({**cluster, "head_start_commands": []}), encoding="utf-8")
    assert "head_start_commands" in ray(code, str(wrong)).stderr


def test_ray_start_knows_every_option_of_the_files() -> None:
    """Slurm's script and the launcher's file name options that Ray's own parser takes, among them hidden ones."""
    code = "from ray.scripts.scripts import start\nprint(*(name for option in start.params for name in option.opts))"
    done = ray(code)
    known = set(done.stdout.split())
    cluster = " ".join(starts(yaml.safe_load(CLUSTER.read_text(encoding="utf-8"))))
    used = set(re.findall(r"(?<= )--[a-z-]+", cluster)) | {ON_LOOPBACK.partition("=")[0], "--resources", "--num-gpus"}
    assert "--labels-file" in used and used - known == set(), done.stderr


def kubernetes() -> tuple[dict[str, Any], dict[str, Any]]:
    policy, cluster = yaml.safe_load_all((FILES / "kubernetes.yaml").read_text(encoding="utf-8"))
    return policy, cluster


def groups(cluster: dict[str, Any]) -> list[dict[str, Any]]:
    return [cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]]


SCHEMA = json.loads((ROOT / "tests" / "fleet" / "raycluster.schema.json").read_text(encoding="utf-8"))


def test_kuberay_takes_the_cluster() -> None:
    _, cluster = kubernetes()
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.validate(cluster, SCHEMA)


def misspelt(cluster: dict[str, Any]) -> None:
    cluster["spec"]["headGroupSpec"]["rayStartParam"] = {}


def number_for_text(cluster: dict[str, Any]) -> None:
    cluster["spec"]["headGroupSpec"]["rayStartParams"]["num-cpus"] = 0


def flag_for_text(cluster: dict[str, Any]) -> None:
    cluster["spec"]["workerGroupSpecs"][0]["template"]["spec"]["containers"][0]["env"][0]["value"] = True


def no_most(cluster: dict[str, Any]) -> None:
    del cluster["spec"]["workerGroupSpecs"][0]["maxReplicas"]


@pytest.mark.parametrize("fault", [misspelt, number_for_text, flag_for_text, no_most])
def test_what_kuberay_would_refuse_is_refused_here(fault: Any) -> None:
    cluster = copy.deepcopy(kubernetes()[1])
    fault(cluster)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(cluster, SCHEMA)


def test_pods_have_one_image_one_commit_and_volumes_that_are_there() -> None:
    """What no schema sees: KubeRay would take it, and the pods would never be ready."""
    _, cluster = kubernetes()
    pods = [group["template"]["spec"] for group in groups(cluster)]
    containers = [container for pod in pods for container in (*pod["initContainers"], *pod["containers"])]
    assert len({container["image"] for container in containers}) == 1
    assert len({str(pod["initContainers"][0]["args"]) for pod in pods}) == 1
    for pod in pods:
        volumes = {volume["name"] for volume in pod["volumes"]}
        (ray_container,) = pod["containers"]
        assert {mount["name"] for mount in ray_container["volumeMounts"]} <= volumes
        environment = {row["name"]: row["value"] for row in ray_container["env"]}
        clone = environment["TRTBENCH_CLONE"]
        assert (
            environment["PATH"].startswith(f"{clone}/.venv-fleet/bin:")
            and environment["RAY_USAGE_STATS_ENABLED"] == "0"
        )
        assert clone in {mount["mountPath"] for mount in ray_container["volumeMounts"]}
        assert pod["automountServiceAccountToken"] is False


def test_the_cluster_in_kubernetes_is_reached_by_its_own_pods_alone() -> None:
    policy, cluster = kubernetes()
    own = {"podSelector": {"matchLabels": {"ray.io/cluster": cluster["metadata"]["name"]}}}
    assert policy["apiVersion"] == "networking.k8s.io/v1" and policy["kind"] == "NetworkPolicy"
    assert policy["spec"] == {**own, "policyTypes": ["Ingress"], "ingress": [{"from": [own]}]}
    assert cluster["spec"]["authOptions"] == {"mode": "token"}
    head = cluster["spec"]["headGroupSpec"]
    assert head["serviceType"] == "ClusterIP" and head["enableIngress"] is False
    assert head["rayStartParams"] == {"dashboard-host": "127.0.0.1", "num-cpus": "0", "num-gpus": "0"}


def test_all_files_mean_one_ray() -> None:
    lock = ROOT / "requirements" / "fleet.lock"
    if not lock.is_file():
        lacking("requirements/fleet.lock is not there")
    (version,) = re.findall(r"^ray(?:\[\w+\])?==(\S+)", lock.read_text(encoding="utf-8"), re.MULTILINE)
    assert kubernetes()[1]["spec"]["rayVersion"] == version


@pytest.mark.parametrize("path", sorted(FILES.iterdir()), ids=lambda path: path.name)
def test_no_file_asks_for_a_secret_or_opens_the_dashboard(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"HF_TOKEN|NGC_API_KEY|secretKeyRef|redis-password", text)
    assert "0.0.0.0" not in text and "NodePort" not in text and "LoadBalancer" not in text
