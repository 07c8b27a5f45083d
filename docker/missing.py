"""Install what an image lacks of a lock, and change nothing that it has.

python3 missing.py LOCK FOLDER

The packages go into FOLDER, which a .pth file puts at the end of Python's path: nothing in it can take the place of a
package of the image, whose torch, transformers and TensorRT are built for each other.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import site
import subprocess
import sys
from pathlib import Path

MUST_BE_THERE = ("numpy", "torch", "transformers")
NEEDED = ("jinja2", "matplotlib", "msgspec", "psutil", "pynvml")
VERSIONS = (
    "import importlib.metadata as m, json; print(json.dumps({n: m.version(n) for n in "
    "{d.metadata['Name'] for d in m.distributions()} if n}))"
)


def versions() -> dict[str, str]:
    """Name and version of every installed package, as a new process finds them."""
    found: dict[str, str] = json.loads(
        subprocess.run([sys.executable, "-c", VERSIONS], check=True, capture_output=True).stdout
    )
    return found


def lacking(lock: Path) -> list[str]:
    """The lines of the lock whose package is not installed in any version."""
    found = []
    for line in lock.read_text(encoding="utf-8").splitlines():
        name = re.match(r"[A-Za-z0-9._-]+", line)
        if name is None:
            continue
        try:
            importlib.metadata.version(name[0])
        except importlib.metadata.PackageNotFoundError:
            found.append(line)
    return found


def main() -> int:
    lock, folder = Path(sys.argv[1]), Path(sys.argv[2])
    before = versions()
    absent = [name for name in MUST_BE_THERE if name not in before]
    if absent:
        print(
            f"error: this base image has no {', '.join(absent)}; it is not an image of TensorRT-LLM.", file=sys.stderr
        )
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    wanted = lacking(lock)
    if wanted:
        request = folder.with_suffix(".txt")
        request.write_text("\n".join(wanted) + "\n", encoding="utf-8")
        # NVIDIA's images pin their own packages through PIP_CONSTRAINT; none of those is installed here.
        env = {name: value for name, value in os.environ.items() if name != "PIP_CONSTRAINT"}
        pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-cache-dir", "--disable-pip-version-check"]
        subprocess.run([*pip, "--target", str(folder), "-r", str(request)], check=True, env=env)
    home = next(place for place in site.getsitepackages() if place in sys.path)
    Path(home, "trtbench.pth").write_text(f"{folder}\n", encoding="utf-8")
    after = versions()
    changed = [name for name, version in before.items() if after.get(name) != version]
    if changed:
        print(f"error: the image's own {', '.join(changed)} would be another version.", file=sys.stderr)
        return 1
    subprocess.run([sys.executable, "-c", f"import {', '.join(NEEDED)}"], check=True)
    print("added " + (", ".join(f"{name} {after[name]}" for name in sorted(set(after) - set(before))) or "nothing"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
