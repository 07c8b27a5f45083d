#!/usr/bin/env bash
# Makes the two stand-in base images without a registry of images, which can't be relied on: out of this machine's own files,
# and the one for the CPU on the packages of its distribution, because apt has to work there.
#   bash tests/docker/base_image.sh cpu TAG PYTHON          in the place of python:3.11-slim: Debian with a Python of its own
#   bash tests/docker/base_image.sh ngc TAG PYTHON VENV     in the place of NVIDIA's: with the packages of VENV less what that
#                                                           image lacks, the TensorRT-LLM stand-in, and NVIDIA's entrypoint
# PYTHON is an interpreter whose standard library and pip are taken; DOCKER_HOST names the engine.
set -Eeuo pipefail

kind=$1 tag=$2 python=$3 venv=${4:-}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"

if [ "$kind" = cpu ]; then
  suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
  PATH=$PATH:/usr/sbin debootstrap --variant=minbase --include=ca-certificates "$suite" "$root" >"$root.log" 2>&1 ||
    { tail -n 5 "$root.log" >&2; exit 1; }
  rm -rf "$root.log" "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
else
  mkdir -p "$root"/{usr/{bin,sbin,lib,lib64},usr/local/{bin,lib},etc/ssl/certs,dev,proc,sys,tmp,root,run,var/tmp,opt}
  chmod 1777 "$root/tmp" "$root/var/tmp"
  for name in bin sbin lib lib64; do ln -s "usr/$name" "$root/$name"; done

  tools=(awk basename bash cat chmod chown cksum cp cut date df dirname env find flock getent grep head hostname id kill ldd ln ls
    mkdir mktemp mv nproc printf ps readlink rm rmdir sed setpriv sh sleep sort stat tail tar tee test touch tr uname uniq wc xargs)
  for tool in "${tools[@]}"; do
    path=$(type -P "$tool") || { echo "error: this machine has no $tool." >&2; exit 1; }
    cp -L "$path" "$root/usr/bin/$tool"
  done
  printf 'root:x:0:0:root:/root:/bin/bash\nubuntu:x:1000:1000::/home/ubuntu:/bin/bash\n' >"$root/etc/passwd"
  printf 'root:x:0:\nubuntu:x:1000:\n' >"$root/etc/group"
  printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
  cp /etc/os-release "$root/etc/os-release"
fi

# The interpreter finds its library from where it lies itself, so it may be moved to /usr/local as a whole.
{ read -r version; read -r binary; read -r library; read -r headers; read -r pip; } < <("$python" - <<'PY'
import sys, sysconfig
from pathlib import Path
import pip
print("%d.%d" % sys.version_info[:2])
print(Path(sys._base_executable).resolve())
print(sysconfig.get_path("stdlib"))
print(sysconfig.get_path("include", vars={"installed_base": sys.base_prefix}))
print(Path(pip.__file__).parent)
PY
)
cp -L "$binary" "$root/usr/local/bin/python$version"
ln -s "python$version" "$root/usr/local/bin/python3"
home=$root/usr/local/lib/python$version
mkdir -p "$home/site-packages"
tar -C "$library" --exclude=./test --exclude=./site-packages --exclude=./dist-packages --exclude='*.a' -cf - . |
  tar -C "$home" -xf -
[ ! -d "$headers" ] || { mkdir -p "$root/usr/local/include"; cp -rL "$headers" "$root/usr/local/include/python$version"; }
cp -a "$pip" "$(dirname "$pip")"/pip-*.dist-info "$home/site-packages/"

while read -r path; do
  mkdir -p "$root$(dirname "$path")"
  cp -Ln "$path" "$root$path"
done < <({
  # ldd fails when one of the files is a script.
  { find "$root/usr/bin" "$root/usr/local" -type f \( -perm -100 -o -name '*.so*' \) -exec ldd {} + 2>/dev/null || true; } |
    awk '/=> \//{print $3} /^\t\/lib/{print $1}'
  # Wheels also ask for parts of the C library that nothing above needs.
  dpkg -L libc6 libgcc-s1 libstdc++6 libgomp1 | grep -E '^/(usr/)?lib.*[.]so([.]|$)'
} | sort -u | while read -r path; do [ -f "$path" ] && echo "$path"; done)

mkdir -p "$root/etc/ssl/certs"
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"

env=(PATH=/usr/local/bin:/usr/bin:/usr/sbin PIP_CERT=/etc/ssl/certs/ca-certificates.crt SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt)
case $kind in
  cpu)
    # A wheel of PyTorch's CPU build, where this machine's pip finds one: its own index may not be reachable.
    mkdir "$root/opt/wheels"
    torch=$(sed -n 's/^TORCH_VERSION=//p' "$here/../../scripts/lib.sh")
    "$python" -m pip download --quiet --disable-pip-version-check --no-deps --dest "$root/opt/wheels" "torch==$torch"
    env+=(PIP_FIND_LINKS=/opt/wheels)
    ;;
  ngc)
    # With what is compiled already, as NVIDIA's has it: without, each process that imports torch computes six seconds more.
    packages=$(echo "$venv"/lib/python*/site-packages)
    tar -C "$packages" --exclude='./msgspec*' --exclude='./pip*' --exclude='./_pytest' --exclude='./pytest*' \
      --exclude='./hypothesis*' --exclude='./_hypothesis*' -cf - . | tar -C "$home/site-packages" -xf -
    mkdir -p "$root/app/tensorrt_llm" "$root/opt/nvidia" "$root/opt/standin" "$root/etc/pip"
    tar -C "$here/../standin" --exclude=__pycache__ -cf - bin python | tar -C "$root/opt/standin" -xf -
    tar -C "$here/../standin" --exclude=__pycache__ -cf - examples | tar -C "$root/app/tensorrt_llm" -xf -
    # As in NVIDIA's image: the library path comes from bash's start-up file, packages are held by a constraint, and the
    # entrypoint says its piece, sets up what it sets up and runs what it is given.
    # shellcheck disable=SC2016
    echo 'export LD_LIBRARY_PATH=/usr/local/tensorrt/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}' >"$root/etc/bash.bashrc"
    echo 'msgspec==0.1.0' >"$root/etc/pip/constraint.txt"
    # shellcheck disable=SC2016
    printf '%s\n' '#!/bin/bash' 'echo "== stand-in of TensorRT-LLM Release =="' 'export NVIDIA_ENTRYPOINT_RAN=1' \
      'if [ $# = 0 ]; then exec /bin/bash; else exec "$@"; fi' >"$root/opt/nvidia/nvidia_entrypoint.sh"
    chmod 755 "$root/opt/nvidia/nvidia_entrypoint.sh" "$root"/opt/standin/bin/*
    # The converters' own interpreter line and the tools' say python3, which is /usr/local/bin/python3 here.
    env=("${env[@]/#PATH=/PATH=/opt/standin/bin:}" BASH_ENV=/etc/bash.bashrc ENV=/etc/shinit_v2 PYTHONPATH=/opt/standin/python
      PIP_CONSTRAINT=/etc/pip/constraint.txt STANDIN_CONTRACT=/workspace/scripts/trtbench/engine/contract/contract.json STANDIN_LINGER=2)
    ;;
esac
changes=()
for pair in "${env[@]}"; do changes+=(-c "ENV $pair"); done
# The folders may have come from a file system or a umask that hides them from other users.
chmod -R go+rX "$root/opt" "$root/usr/local" "$root/etc"
chmod 755 "$root/root"  # where an interpreter of pyenv has its library
# debootstrap's devices are the engine's business.
tar -C "$root" --exclude='./dev/*' -cf - . | docker import "${changes[@]}" -c 'CMD ["bash"]' - "$tag"
