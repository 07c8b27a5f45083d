"""Paths as people write them: with ~ and with variables, in flags, environment and file, as a shell and Compose read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from command import python
from trtbench.errors import UserError
from trtbench.settings.knobs import ROWS
from trtbench.settings.reading import read_file, resolve

HOME = {"HOME": "/home/me", "DISK": "/mnt/disk", "EMPTY": ""}
PLACES = [name for name, row in ROWS.items() if row.kind == "path" or row.place]


def value(name: str, flags: dict[str, str], environment: dict[str, str], file: Path) -> str:
    found: str = getattr(resolve(flags, {**HOME, **environment}, file)[0], name.lower())
    return found


@pytest.mark.parametrize("name", [name for name in PLACES if name != "PROMPTS_FILE"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("~/x", "/home/me/x"),
        ("~", "/home/me"),
        ("$HOME/x", "/home/me/x"),
        ("${DISK}/$EMPTY/x", "/mnt/disk//x"),
        ("${NOWHERE:-${DISK}/y}/x", "/mnt/disk/y/x"),
        ("${EMPTY:-~}/x", "/home/me/x"),
        ("${EMPTY-/z}/x", "/x"),
        ("/a${DISK:+/b}${EMPTY:+/c}", "/a/b"),
        ("/cost/5$$", "/cost/5$"),
        ("/a/~/b", "/a/~/b"),
        ("/a $1 $", "/a $1 $"),
    ],
)
def test_a_place_is_the_same_by_flag_environment_and_file(name: str, text: str, expected: str, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("")
    assert value(name, {name: text}, {}, file) == expected
    assert value(name, {}, {name: text}, file) == expected
    file.write_text(f"{name}={text}\n")
    assert value(name, {}, {}, file) == expected
    file.write_text(f'{name}="{text}" # why\n')
    assert value(name, {}, {}, file) == expected
    file.write_text(f"{name}='{text}'\n")
    assert value(name, {}, {}, file) == text, "single quotes leave it as it is"


def test_the_prompts_file_too(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("a prompt")
    settings, _ = resolve({"PROMPTS_FILE": "~/p.txt"}, {"HOME": str(tmp_path)}, Path("none"))
    assert settings.prompts_file == f"{tmp_path}/p.txt"


def test_a_file_takes_what_stands_further_up_and_the_environment_first(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("DATA_DIR=${DISK}/data\nRESULTS_DIR=${DATA_DIR}/r\nMODEL_NAME=$MODEL_REVISION\n")
    with pytest.raises(UserError, match="line 3: MODEL_NAME names the variable MODEL_REVISION, which is not set"):
        read_file(file, HOME)
    assert read_file(file, {**HOME, "MODEL_REVISION": "m", "DATA_DIR": "/mine"}) == {
        "DATA_DIR": "/mnt/disk/data",
        "RESULTS_DIR": "/mine/r",
        "MODEL_NAME": "m",
    }


def test_what_is_not_set_is_refused(tmp_path: Path) -> None:
    for flags, environment in (({"RESULTS_DIR": "$NOWHERE/r"}, {}), ({}, {"RESULTS_DIR": "$NOWHERE/r"})):
        with pytest.raises(UserError, match=r"RESULTS_DIR='\$NOWHERE/r' names the variable NOWHERE, which is not set"):
            resolve(flags, environment, Path("none"))
    with pytest.raises(UserError, match="is in the home of nobody-here, whom this machine does not know"):
        resolve({"DATA_DIR": "~nobody-here/x"}, HOME, Path("none"))
    with pytest.raises(UserError, match=r"DATA_DIR='\$\{HOME' has a \$\{ without its end"):
        resolve({"DATA_DIR": "${HOME"}, HOME, Path("none"))
    with pytest.raises(UserError, match="names the variable EMPTY"):
        resolve({"DATA_DIR": "${EMPTY:?give one}"}, HOME, Path("none"))


@pytest.mark.parametrize("name", ["HF_TOKEN", "NGC_API_KEY", "HTTPS_PROXY"])
def test_a_secret_with_a_dollar_sign_is_not_shown(name: str, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(f"{name}=hf_$planted\n")
    with pytest.raises(UserError, match=f"{name} names a variable that is not set.*single quotes") as refused:
        read_file(file, HOME)
    assert "planted" not in str(refused.value)
    file.write_text(f"{name}='hf_$planted'\n")
    assert read_file(file, HOME) == {name: "hf_$planted"}
    file.write_text(f'{name}="hf_\\$planted"\n')
    assert read_file(file, HOME) == {name: "hf_$planted"}


def test_no_folder_of_that_name_is_made_here(tmp_path: Path) -> None:
    done = python(
        "-c",
        "import os, sys; os.chdir(sys.argv[1])\nfrom trtbench.compare import main; from trtbench.errors "
        "import run_main\nrun_main(lambda: main(['--results-dir=~/rr']))",
        str(tmp_path),
        HOME=str(tmp_path / "me"),
    )
    assert done.returncode == 2 and f"{tmp_path}/me/rr" in done.stderr
    assert list(tmp_path.iterdir()) == []
