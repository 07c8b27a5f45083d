"""Install what an image lacks of a lock, and change nothing that it has.

python3 missing.py LOCK FOLDER    when the project's image is built: into FOLDER, which a .pth file puts at the end of
                                  Python's path
python3 missing.py --beside       in NVIDIA's image as it comes, or in a Python that the user named because of its torch: into a
                                  folder of this clone (or of the user), which is printed for TRTBENCH_PACKAGES; nothing is
                                  printed where nothing lacks

At the end of the path nothing can take the place of a package of the image, whose torch, transformers and TensorRT are
built for each other.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import shutil
import site
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MUST_BE_THERE = ("numpy", "torch", "transformers")
NEEDED = ("jinja2", "matplotlib", "msgspec", "psutil", "pynvml")
# What a package says of itself can be broken in many ways (no name, no version, a folder that is called differently), and
# none of them is a reason to stop: it is left out.
VERSIONS = """
import importlib.metadata as metadata, json
found = {}
for distribution in metadata.distributions():
    try:
        name = distribution.metadata["Name"]
        version = metadata.version(name)
    except Exception:
        continue
    if version:
        found[name] = version
print(json.dumps(found))
"""


def versions() -> dict[str, str]:
    """Name and version of every installed package, as a new process finds them."""
    found: dict[str, str] = json.loads(
        subprocess.run([sys.executable, "-c", VERSIONS], check=True, capture_output=True).stdout
    )
    return found


def installed(name: str) -> bool:
    """Whether a package is here in some version; one that can't name its version is not."""
    try:
        return bool(importlib.metadata.version(name))
    except Exception:  # not there, or broken in one of many ways
        return False


def applies(line: str) -> bool:
    """Whether a line of a lock is meant for this Python and system."""
    _, _, marker = line.partition(" ; ")
    if not marker:
        return True
    try:
        from pip._vendor.packaging.markers import Marker
    except ImportError:
        return True
    return bool(Marker(marker).evaluate())


def lacking(lock: Path) -> list[str]:
    """The lines of the lock whose package is not installed in any version."""
    found = []
    for line in lock.read_text(encoding="utf-8").splitlines():
        name = re.match(r"[A-Za-z0-9._-]+", line)
        if name is not None and not installed(name[0]) and applies(line):
            found.append(line)
    return found


def say(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def is_tensorrt_image() -> bool:
    """Whether the packages are here that only the image can bring; if not, the sentence is said."""
    absent = [name for name in MUST_BE_THERE if not installed(name)]
    if absent and os.environ.get("TRTBENCH_PYTHON"):
        say(
            f"error: TRTBENCH_PYTHON={os.environ['TRTBENCH_PYTHON']!r} has no {', '.join(absent)}, which it must bring; install it."
        )
    elif absent:
        say(f"error: this base image has no {', '.join(absent)}; it is not an image of TensorRT-LLM.")
    return not absent


def install(wanted: list[str], folder: Path) -> bool:
    """Have pip put these lines of a lock into a folder; if it can't, the sentence is said."""
    request = folder.with_suffix(".txt")
    request.write_text("\n".join(wanted) + "\n", encoding="utf-8")
    # NVIDIA's images pin their own packages through PIP_CONSTRAINT; none of those is installed here. PIP_USER would name
    # another place.
    env = {name: value for name, value in os.environ.items() if name not in {"PIP_CONSTRAINT", "PIP_USER"}}
    env["PIP_ROOT_USER_ACTION"] = "ignore"
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-cache-dir", "--disable-pip-version-check"]
    words = [*pip, "--quiet", "--target", str(folder), "-r", str(request)]
    done = subprocess.run(words, stdout=sys.stderr, env=env)
    request.unlink()
    if done.returncode != 0:
        names = ", ".join(line.partition(" ;")[0] for line in wanted)
        say(
            f"error: pip could not install what this image lacks ({names}); its own words stand above. It needs a network, "
            "a proxy (HTTPS_PROXY) or an index (PIP_INDEX_URL); without one, start the project's own image, which has them."
        )
    return done.returncode == 0


def data_folder() -> Path | None:
    """DATA_DIR as the benchmark will read it, from the environment or `.env`; where it can't be, the sentence is said."""
    sys.path.insert(0, str(ROOT / "scripts"))
    from trtbench.errors import UserError
    from trtbench.settings.reading import before_flags

    try:
        return Path(before_flags("DATA_DIR"))
    except UserError as error:
        say(f"error: {error}")
        return None


def beside() -> int:
    """Print the folder with what this Python lacks of requirements/image.lock; it is made once for each lack."""
    if not is_tensorrt_image():
        return 2
    wanted = lacking(ROOT / "requirements" / "image.lock")
    if not wanted:
        return 0
    kind = [sys.implementation.cache_tag, platform.machine(), *wanted]
    name = f"packages-{zlib.crc32(' '.join(kind).encode()):08x}"
    data = data_folder()
    if data is None:
        return 2
    caches = [data.absolute() / "cache", Path(os.path.expanduser("~")) / ".cache" / "trtbench"]
    for cache in caches:
        if (cache / name).is_dir():
            print(cache / name)
            return 0
    for cache in caches:
        try:
            cache.mkdir(parents=True, exist_ok=True)
            work = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=cache))
        except OSError:
            continue
        break
    else:
        say(f"error: neither {' nor '.join(map(str, caches))} can be written; name a folder of yours in DATA_DIR.")
        return 2
    try:
        place = "this Python" if os.environ.get("TRTBENCH_PYTHON") else "this image"
        say(f"adding what {place} lacks, beside its own packages (once): {cache / name}")
        parts = work / "parts"
        if not install(wanted, parts):
            return 2
        test = f"import sys; sys.path.append({str(parts)!r}); import {', '.join(NEEDED)}"
        if subprocess.run([sys.executable, "-c", test], stdout=sys.stderr).returncode != 0:
            say("error: what this image has and what was added do not go together; start the project's own image.")
            return 2
        try:
            parts.rename(cache / name)
        except OSError:
            if not (cache / name).is_dir():  # else another process was faster
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(cache / name)
    return 0


def build(lock: Path, folder: Path) -> int:
    """Install into a folder that every Python of this image will have at the end of its path."""
    if not is_tensorrt_image():
        return 1
    before = versions()
    folder.mkdir(parents=True, exist_ok=True)
    wanted = lacking(lock)
    if wanted and not install(wanted, folder):
        return 1
    home = next(place for place in site.getsitepackages() if place in sys.path)
    Path(home, "trtbench.pth").write_text(f"{folder}\n", encoding="utf-8")
    after = versions()
    changed = [name for name, version in before.items() if after.get(name) != version]
    if changed:
        say(f"error: the image's own {', '.join(changed)} would be another version.")
        return 1
    subprocess.run([sys.executable, "-c", f"import {', '.join(NEEDED)}"], check=True)
    print("added " + (", ".join(f"{name} {after[name]}" for name in sorted(set(after) - set(before))) or "nothing"))
    return 0


def main() -> int:
    try:
        return beside() if sys.argv[1:] == ["--beside"] else build(Path(sys.argv[1]), Path(sys.argv[2]))
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
