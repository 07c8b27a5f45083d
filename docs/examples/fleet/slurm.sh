#!/usr/bin/env bash
# A fleet on Slurm, after Ray's own documented way: one Ray node on each node of the job, and the plan from the first of them.
#   sbatch --nodes=4 --gpus-per-node=8 docs/examples/fleet/slurm.sh PLAN.yaml [--resume and whatever else scripts/fleet.sh takes]
# Call it in a clone that every node sees at the same path, as your home folder, after `bash scripts/fleet.sh --install` there.
# The features of a Slurm node (`sinfo -o "%N %f"`) are resources of its Ray node, so that a plan's `resource: NAME` finds them.
#SBATCH --job-name=fleet
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --mem=0
#SBATCH --no-kill
#SBATCH --time=12:00:00
#SBATCH --output=fleet-%j.log
set -euo pipefail

: "${SLURM_JOB_NODELIST:?is not set: this is for sbatch}"
export TRTBENCH_CLONE=${TRTBENCH_CLONE:-$SLURM_SUBMIT_DIR}
# Nodes see /tmp/ray of whoever was there before; a folder of this job's own belongs to nobody else.
export RAY_TMPDIR=/tmp/fleet-$SLURM_JOB_ID
export RAY_USAGE_STATS_ENABLED=0
export RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT=600  # seconds for all nodes to come; Ray's own 30 are few on a shared disk
# Other users of the cluster reach the ports of a node; with a token they can't submit jobs there.
export RAY_AUTH_MODE=token
export PATH=$TRTBENCH_CLONE/.venv-fleet/bin:$PATH

[ $# -gt 0 ] || { echo "It takes a plan: sbatch slurm.sh PLAN.yaml" >&2; exit 2; }
[ -x "$TRTBENCH_CLONE/.venv-fleet/bin/ray" ] || {
  echo "$TRTBENCH_CLONE has no .venv-fleet: call bash scripts/fleet.sh --install there, or name the clone in TRTBENCH_CLONE." >&2
  exit 2
}

(umask 077; ray get-auth-token --generate >/dev/null)  # made once, in ~/.ray/auth_token, which all nodes have to see

# This script runs on the first node, which is the head. HEAD_IP names its address where the nodes have several networks.
addresses=$(hostname --ip-address; hostname --all-ip-addresses)
head=${HEAD_IP:-$(tr ' ' '\n' <<<"$addresses" | grep -v -e '^127\.' -e : -e '^$' | head -n 1)} || true
[ -n "$head" ] || { echo "The first node has no IPv4 address that others could reach; name one in HEAD_IP." >&2; exit 2; }

# on_node HEAD ARGUMENTS...: on each node, Ray with what Slurm gave; on the head, the fleet, with the arguments
on_node() {
  local address=$1 features name resources='' options
  shift
  mkdir -p "$RAY_TMPDIR"
  features=$(scontrol show node --oneliner "$SLURMD_NODENAME" | sed -n 's/.* ActiveFeatures=\([^ ]*\).*/\1/p')
  for name in ${features//,/ }; do
    [[ ! $name =~ ^[A-Za-z0-9_.-]+$ || $name = '(null)' ]] || resources+="${resources:+, }\"$name\": 1"
  done
  options=(--dashboard-host=127.0.0.1 --num-cpus="$SLURM_CPUS_ON_NODE" --resources="{$resources}")
  [ -z "${SLURM_GPUS_ON_NODE:-}" ] || options+=(--num-gpus="$SLURM_GPUS_ON_NODE")
  cd "$TRTBENCH_CLONE"
  ray symmetric-run --address "$address" --min-nodes "$SLURM_JOB_NUM_NODES" "${options[@]}" -- \
    bash scripts/fleet.sh "$@" --address http://127.0.0.1:8265
}

# A node that is lost takes its runs along, and nothing else.
srun --no-kill --kill-on-bad-exit=0 --wait=0 --cpu-bind=none \
  bash -c "set -euo pipefail; $(declare -f on_node); on_node \"\$@\"" on_node "$head:6379" "$@"
