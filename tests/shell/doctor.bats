#!/usr/bin/env bats
# shellcheck disable=SC2016  # the stand-ins expand what stands in single quotes
# doctor.sh on machines that stand-ins for docker, nvidia-smi and df make up; nothing else of this machine's is on PATH.

setup() {
  script=$BATS_TEST_DIRNAME/../../scripts/doctor.sh
  box=$BATS_TEST_TMPDIR
  mkdir -p "$box/bin" "$box/config" "$box/docker-root" "$box/data"
  for tool in bash env dirname mktemp rm cat tr mkdir sleep id stat head stty; do
    ln -s "$(command -v "$tool")" "$box/bin/$tool"
  done
  ln -s "$(python3 -c 'import sys; print(sys.executable)')" "$box/bin/python3"
  for name in $(env | sed -n 's/^\(HF_[A-Z_]*\|OFFLINE\|MODEL_NAME\|BASE_IMAGE\|NGC_API_KEY\)=.*/\1/p'); do unset "$name"; done
  export BOX=$box DOCKER_CONFIG=$box/config MODEL_NAME=demo DATA_DIR=$box/data

  stub docker <<'STUB'
case "$1 $2" in
  '--version '*) echo 'Docker version 27.3.1, build ce12230' ;;
  'version '*)
    [ ! -e "$BOX/daemon-off" ] || { echo 'Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?' >&2; exit 1; } ;;
  'info '*) [ ! -e "$BOX/daemon-off" ] || { echo '{"ServerErrors":["Cannot connect to the Docker daemon at unix:///x."]}'; exit 1; }; cat "$BOX/info" ;;
  'compose '*) cat "$BOX/compose" ;;
  'image '*) [ -e "$BOX/image-here" ] ;;
  'manifest '*) [ ! -e "$BOX/private" ] || { echo 'unauthorized: authentication required'; exit 1; }; echo '{}' ;;
esac
STUB
  stub nvidia-smi <<'STUB'
[ ! -e "$BOX/smi-words" ] || { cat "$BOX/smi-words"; exit 9; }
cat "$BOX/gpus"
STUB
  stub df <<'STUB'
for place; do :; done
case $place in */docker-root*) free=$(cat "$BOX/df-docker") ;; /dev/shm) free=$(cat "$BOX/df-shm") ;; *) free=$(cat "$BOX/df-data") ;; esac
printf 'Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/a b 999999999 1 %s 1%% %s\n' "$free" "$place"
STUB
  echo "{\"ServerVersion\":\"27.3.1\",\"DockerRootDir\":\"$box/docker-root\",\"Runtimes\":{\"nvidia\":{},\"runc\":{}}}" >"$box/info"
  echo 2.29.7 >"$box/compose"
  echo '0, NVIDIA GeForce RTX 4070, 580.95.05, 12282, 11800, 8.9' >"$box/gpus"
  echo 200000000 >"$box/df-docker"
  echo 200000000 >"$box/df-data"
  echo 8000000 >"$box/df-shm"
}

stub() { # NAME: the body comes by standard input
  { echo '#!/usr/bin/env bash'; cat; } >"$box/bin/$1"
  chmod +x "$box/bin/$1"
}
line() { # LEVEL NAME [WORDS]: the check has this level, and the words stand in its line or the one below
  [[ $'\n'$output =~ $'\n'"$1"\ +"$2"\ +([^$'\n']*($'\n'\ +[^$'\n']*)?) ]] || { echo "no line '$1 $2' in:"; echo "$output"; return 1; }
  [[ ${BASH_REMATCH[1]} == *"${3-}"* ]] || { echo "'${BASH_REMATCH[1]}' lacks '${3-}'"; return 1; }
}
ready() { [ "$status" -eq 0 ] || { echo "$output"; return 1; }; }
not_ready() { [ "$status" -eq 1 ] || { echo "status $status: $output"; return 1; }; }

@test "a machine that has everything: every needed line ok, status 0" {
  run env PATH="$box/bin" bash "$script"
  ready
  for name in docker docker-daemon compose container-toolkit gpu compute-capability driver gpu-memory docker-disk disk \
    shared-memory ngc-login model; do
    line ok "$name"
  done
  [[ $output == *"Ready for 'docker'."* ]]
}

@test "docker missing" {
  rm "$box/bin/docker"
  run env PATH="$box/bin" bash "$script"
  not_ready
  line fail docker 'https://docs.docker.com/engine/install/'
  line fail docker-daemon
  line fail ngc-login
}

@test "docker missing does not matter for the local mode" {
  rm "$box/bin/docker" "$box/bin/nvidia-smi"
  run env PATH="$box/bin" bash "$script" --for local
  ready
  line warn docker "Not needed for 'local'"
  line warn gpu
  line ok python
}

@test "daemon off" {
  touch "$box/daemon-off"
  run env PATH="$box/bin" bash "$script"
  not_ready
  line fail docker-daemon 'systemctl start docker'
  line fail ngc-login
}

@test "Compose: absent, old, standalone" {
  : >"$box/compose"
  run env PATH="$box/bin" bash "$script"
  not_ready
  line fail compose 'not installed'
  echo 'echo 1.25.0' | stub docker-compose
  run env PATH="$box/bin" bash "$script"
  not_ready
  line fail compose 'too old'
  echo 'echo 1.29.2' | stub docker-compose
  run env PATH="$box/bin" bash "$script"
  ready
  line ok compose 'docker-compose 1.29.2'
}

@test "container toolkit: absent, not configured, by hook, by CDI, Docker Desktop" {
  bare="{\"ServerVersion\":\"27.3.1\",\"DockerRootDir\":\"$box/docker-root\",\"Runtimes\":{\"runc\":{}}"
  echo "$bare}" >"$box/info"
  run env PATH="$box/bin" bash "$script"
  not_ready
  line fail container-toolkit 'not installed'
  echo : | stub nvidia-ctk
  run env PATH="$box/bin" bash "$script"
  not_ready
  line fail container-toolkit 'nvidia-ctk runtime configure'
  echo : | stub nvidia-container-runtime-hook
  run env PATH="$box/bin" bash "$script"
  line ok container-toolkit hook
  rm "$box/bin/nvidia-container-runtime-hook"
  echo "$bare,\"DiscoveredDevices\":[{\"Source\":\"cdi\",\"ID\":\"nvidia.com/gpu=all\"}]}" >"$box/info"
  run env PATH="$box/bin" bash "$script"
  line ok container-toolkit CDI
  echo "$bare,\"OperatingSystem\":\"Docker Desktop\"}" >"$box/info"
  run env PATH="$box/bin" bash "$script"
  ready
  line warn container-toolkit 'docker run --rm --gpus all'
}

@test "no driver, driver that does not answer, no GPU" {
  echo "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver." >"$box/smi-words"
  run env PATH="$box/bin" bash "$script"
  not_ready
  line fail gpu "couldn't communicate"
  rm "$box/smi-words"
  echo 'No devices were found' >"$box/gpus"
  run env PATH="$box/bin" bash "$script"
  not_ready
  line fail gpu 'lists no GPU'
  rm "$box/bin/nvidia-smi"
  run env PATH="$box/bin" bash "$script"
  not_ready
  line fail gpu 'nvidia-smi is not here'
}

@test "an RTX 20xx is not supported by this release" {
  echo '0, NVIDIA GeForce RTX 2080 Ti, 580.95.05, 11264, 11000, 7.5' >"$box/gpus"
  run env PATH="$box/bin" bash "$script" --for engine
  not_ready
  line fail compute-capability 'RTX 20xx'
  line warn driver 580.95.05
}

@test "driver 579 is too old, 580 is not" {
  echo '0, NVIDIA GeForce RTX 4070, 579.99, 12282, 11800, 8.9' >"$box/gpus"
  run env PATH="$box/bin" bash "$script"
  not_ready
  line fail driver '580 or newer'
  echo '0, NVIDIA GeForce RTX 4070, 580.00, 12282, 11800, 8.9' >"$box/gpus"
  run env PATH="$box/bin" bash "$script"
  ready
}

@test "an older driver: forward compatibility on data-centre cards, from 535 on" {
  echo '0, NVIDIA A100-SXM4-80GB, 550.90.07, 81920, 81000, 8.0' >"$box/gpus"
  run env PATH="$box/bin" bash "$script"
  ready
  line warn driver 'by forward compatibility'
  echo '0, NVIDIA A100-SXM4-80GB, 525.85.12, 81920, 81000, 8.0' >"$box/gpus"
  run env PATH="$box/bin" bash "$script"
  not_ready
  line fail driver '535 by forward compatibility'
}

@test "inside the container the driver is asked, and a missing library is told" {
  LD_LIBRARY_PATH=/nowhere run env PATH="$box/bin" bash "$script" --for engine
  ready
  line warn driver 'no libcuda.so.1 here'
}

@test "GPU memory: 3 GB is too little, 6 GB are for small models, an 8 GB card is enough, little free is a warning" {
  echo '0, NVIDIA GeForce GTX 1060, 580.95.05, 3072, 3000, 8.6' >"$box/gpus"
  run env PATH="$box/bin" bash "$script"
  not_ready
  line fail gpu-memory '3.0 GiB'
  echo '0, NVIDIA GeForce RTX 3050, 580.95.05, 6144, 6000, 8.6' >"$box/gpus"
  run env PATH="$box/bin" bash "$script"
  ready
  line warn gpu-memory '6.0 GiB of memory: enough for small models only'
  echo '0, NVIDIA GeForce RTX 4060, 580.95.05, 8188, 7900, 8.9' >"$box/gpus"
  run env PATH="$box/bin" bash "$script"
  ready
  line ok gpu-memory
  echo '0, NVIDIA GeForce RTX 4060, 580.95.05, 8188, 2000, 8.9' >"$box/gpus"
  run env PATH="$box/bin" bash "$script"
  ready
  line warn gpu-memory '2.0 of 8.0 GiB are free'
}

@test "the second GPU can what the first can't: it is named, and taken when it is chosen" {
  printf '%s\n' '0, Tesla T4, 580.95.05, 15360, 15000, 7.5' '1, NVIDIA A10, 580.95.05, 23028, 22000, 8.6' >"$box/gpus"
  run env PATH="$box/bin" bash "$script"
  not_ready
  line warn gpu 'set GPU_INDEX=1'
  line fail compute-capability 7.5
  GPU_INDEX=1 run env PATH="$box/bin" bash "$script"
  ready
  line ok gpu 'NVIDIA A10, number 1 of 2'
  line ok compute-capability 8.6
  GPU_INDEX=2 run env PATH="$box/bin" bash "$script"
  not_ready
  line fail gpu "GPU_INDEX='2' names no GPU of this machine; nvidia-smi lists 0, 1."
}

@test "several cards: as many as TP_SIZE says, of one kind" {
  printf '%s\n' '0, NVIDIA A10, 580.95.05, 23028, 22000, 8.6' '1, NVIDIA A10, 580.95.05, 23028, 22000, 8.6' >"$box/gpus"
  TP_SIZE=2 run env PATH="$box/bin" bash "$script"
  ready
  line ok cards 'TP_SIZE=2: 2 cards, all NVIDIA A10.'
  TP_SIZE=4 run env PATH="$box/bin" bash "$script"
  not_ready
  line fail cards 'TP_SIZE=4 needs 4 cards, and this machine has 2.'
  TP_SIZE=2 GPU_INDEX=1 run env PATH="$box/bin" bash "$script"
  not_ready
  line fail cards 'GPU_INDEX=1, CUDA_VISIBLE_DEVICES=1,2'
  printf '%s\n' '0, NVIDIA A10, 580.95.05, 23028, 22000, 8.6' '1, NVIDIA L4, 580.95.05, 23034, 22000, 8.9' >"$box/gpus"
  TP_SIZE=2 run env PATH="$box/bin" bash "$script"
  ready
  line warn cards 'The cards differ (NVIDIA A10, NVIDIA L4): the slowest decides'
}

@test "disk: too little for the image, enough for the image only, and not needed when it is here" {
  echo 40000000 >"$box/df-docker"
  run env PATH="$box/bin" bash "$script"
  not_ready
  line fail docker-disk 'about 60 GB'
  echo 65000000 >"$box/df-docker"
  run env PATH="$box/bin" bash "$script"
  ready
  line warn docker-disk '80 GB are safer'
  echo 1000000 >"$box/df-docker"
  touch "$box/image-here"
  run env PATH="$box/bin" bash "$script"
  ready
  line ok docker-disk 'already here'
  line ok ngc-login 'no login is needed'
}

@test "disk: too little for models and engines" {
  echo 5000000 >"$box/df-data"
  run env PATH="$box/bin" bash "$script"
  not_ready
  line fail disk '10 GB needed'
  echo 500000 >"$box/df-data"  # outside of Docker what is estimated, and 1 GB at least
  run env PATH="$box/bin" bash "$script" --for local
  not_ready
  line fail disk 'GB needed'
}

@test "a card without Docker: driver 525 will do, with a warning; what can be typed here stands at the end" {
  rm "$box/bin/docker"
  run env PATH="$box/bin" bash "$script" --for gpu
  ready
  line ok environments '.venv-cuda not made'
  line ok estimate 'minutes'
  [[ $output == *"What you can type here:"*"bash scripts/bench_local.sh"*"on the card"* ]]
  [[ $output != *"scripts/up.sh"* ]]
  echo '0, NVIDIA GeForce RTX 2080 Ti, 550.54.15, 11264, 11000, 7.5' >"$box/gpus"
  run env PATH="$box/bin" bash "$script" --for gpu
  ready
  line warn driver 'CUDA 12.6'
  echo '0, NVIDIA GeForce RTX 2080 Ti, 470.82.01, 11264, 11000, 7.5' >"$box/gpus"
  run env PATH="$box/bin" bash "$script" --for gpu
  not_ready
  line fail driver TRTBENCH_PYTHON
}

@test "--estimate: one line, and none for what measures nothing" {
  run env PATH="$box/bin" bash "$script" --estimate auto
  ready
  [ "${#lines[@]}" -eq 1 ]
  [[ $output == "estimate: at least "*"(image 60.0 GB"* ]]
  touch "$box/image-here"
  run env PATH="$box/bin" bash "$script" --estimate auto
  [[ $output != *image* ]]
  run env PATH="$box/bin" bash "$script" --estimate compare-only
  ready
  [ -z "$output" ]
}

@test "shared memory matters for the engine only" {
  echo 65536 >"$box/df-shm"
  run env PATH="$box/bin" bash "$script"
  ready
  line warn shared-memory "Not needed for 'docker'"
  run env PATH="$box/bin" bash "$script" --for engine
  not_ready
  line fail shared-memory '--shm-size'
}

@test "a login is needed" {
  touch "$box/private"
  run env PATH="$box/bin" bash "$script"
  not_ready
  line fail ngc-login ./setup_nvidia_auth.sh
}

@test "model: offline, folder with and without weights" {
  MODEL_NAME=owner/name OFFLINE=1 run env PATH="$box/bin" bash "$script" --for local
  not_ready
  line fail model 'OFFLINE=1 forbids the network'
  home=$box/data/models/hub/models--owner--name
  commit=0123456789abcdef0123456789abcdef01234567
  whole "$home/snapshots/$commit"
  echo "{\"main\": \"$commit\"}" >"$home/refs.json"
  MODEL_NAME=owner/name OFFLINE=1 run env PATH="$box/bin" bash "$script" --for local
  ready
  whole "$box/folder"
  MODEL_NAME=$box/folder run env PATH="$box/bin" bash "$script" --for local
  ready
  MODEL_NAME=$box/folder run env PATH="$box/bin" bash "$script"
  not_ready
  line fail model 'outside of ./data'
  rm "$box/folder/model.safetensors"
  MODEL_NAME=$box/folder run env PATH="$box/bin" bash "$script" --for local
  not_ready
  line fail model 'holds no *.safetensors'
}

whole() { # FOLDER: a model, as small as one can be
  mkdir -p "$1"
  echo '{"architectures": ["LlamaForCausalLM"]}' >"$1/config.json"
  echo '{}' >"$1/tokenizer.json"
  printf '\2\0\0\0\0\0\0\0{}' >"$1/model.safetensors"
}

@test "--json: the same as data, with the status unchanged" {
  rm "$box/bin/nvidia-smi"
  run env PATH="$box/bin" bash "$script" --json
  not_ready
  echo "$output" | python3 -c '
import json, sys
report = json.load(sys.stdin)
assert report["purpose"] == "docker" and report["ready"] is False
rows = {row["name"]: row for row in report["checks"]}
assert rows["gpu"]["level"] == "fail" and rows["gpu"]["needed"] and rows["gpu"]["todo"]
assert rows["disk"]["figures"]["need_gb"] == 10
assert not rows["python"]["needed"]'
}

@test "the secrets are not handed to the programs it runs" {
  echo 'env >>"$BOX/environment"; echo "Docker version 27.3.1, build x"' | stub docker
  NGC_API_KEY=nvapi-SECRET HF_TOKEN=hf_SECRET run env PATH="$box/bin" bash "$script" --for local
  grep -q BOX "$box/environment"
  run grep SECRET "$box/environment"
  [ "$status" -eq 1 ]
}

@test "bad input: one sentence, status 2" {
  while IFS='|' read -r offline arguments words; do
    # shellcheck disable=SC2086
    OFFLINE=$offline run env PATH="$box/bin" bash "$script" $arguments
    [ "$status" -eq 2 ] || { echo "$arguments: $status $output"; false; }
    [[ $output == "error: "*"$words"* ]] || { echo "$output"; false; }
    [ "${#lines[@]}" -eq 1 ]
  done <<'TABLE'
|--for moon|moon
|--nonsense|--nonsense
|surplus|surplus
maybe||OFFLINE='maybe'
TABLE
}

@test "no Python: a sentence, status 1" {
  rm "$box/bin/python3"
  run env PATH="$box/bin" bash "$script"
  [ "$status" -eq 1 ]
  [[ $output == *'Python 3.8'* ]]
}
