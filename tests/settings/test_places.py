"""Paths as people write them: with ~ and with variables, in flags, environment and file, as a shell and Compose read them."""

from __future__ import annotations

import re
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


BESIDE = [name for name in PLACES if name != "PROMPTS_FILE"]


@pytest.mark.parametrize("name", BESIDE)
@pytest.mark.parametrize(("text", "expected"), [("~/x", "/home/me/x"), ("~", "/home/me"), ("/a/~/b", "/a/~/b")])
def test_a_home_is_the_same_by_flag_environment_and_file(name: str, text: str, expected: str, tmp_path: Path) -> None:
    """In single quotes too: a folder that is called ~ is never wanted."""
    file = tmp_path / ".env"
    file.write_text("")
    assert value(name, {name: text}, {}, file) == expected
    assert value(name, {}, {name: text}, file) == expected
    for line in (text, f'"{text}" # why', f"'{text}'"):
        file.write_text(f"{name}={line}\n")
        assert value(name, {}, {}, file) == expected


@pytest.mark.parametrize("name", BESIDE)
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$HOME/x", "/home/me/x"),
        ("${DISK}/$EMPTY/x", "/mnt/disk//x"),
        ("${NOWHERE:-${DISK}/y}/x", "/mnt/disk/y/x"),
        ("${NOWHERE:-${NEITHER:-${DISK}}}/x", "/mnt/disk/x"),
        ("${NOWHERE:-${NEITHER:-${NOR:-/n}/m}/l}/x}", "/n/m/l/x}"),
        ("${EMPTY:-~}/x", "/home/me/x"),
        ("${EMPTY-/z}/x", "/x"),
        ("/a${DISK:+/b}${EMPTY:+/c}", "/a/b"),
        ("/cost/5$$", "/cost/5$"),
        ("/a $1 $", "/a $1 $"),
    ],
)
def test_variables_are_the_files(name: str, text: str, expected: str, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    for line in (text, f'"{text}" # why'):
        file.write_text(f"{name}={line}\n")
        assert value(name, {}, {}, file) == expected


@pytest.mark.parametrize("name", BESIDE)
@pytest.mark.parametrize("text", ["/a$b", "/a$$b", "/a${b}", "/a${", "/cost/5$", "a$HOME"])
def test_a_dollar_sign_is_one_where_a_shell_or_compose_had_its_turn(name: str, text: str, tmp_path: Path) -> None:
    """As `.env` has it in single quotes, and a container then gets it in its environment: expanded once, not again."""
    file = tmp_path / ".env"
    file.write_text(f"{name}='{text}'\n")
    assert value(name, {}, {}, file) == text
    assert value(name, {}, read_file(file, HOME), Path("none")) == text
    assert value(name, {name: text}, {}, Path("none")) == text


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("text", ["$HOME/x", "${HOME}/x", "${HOME", " $b"])
def test_a_folder_of_a_variables_name_is_never_meant(name: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(f"{name}='{text}'\n")
    for layers in (({name: text}, {}, Path("none")), ({}, {name: text}, Path("none")), ({}, {}, file)):
        with pytest.raises(UserError, match="begins with a variable that nobody has expanded") as refused:
            value(name, *layers)
        assert f"{name}={text!r}" in str(refused.value) and f"./{text.strip()}." in str(refused.value)


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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("$NOWHERE/r", "names the variable NOWHERE, which is not set"),
        ("${EMPTY:?give one}", "names the variable EMPTY, which is not set"),
        ("${A:-${B:-${C}}}", "names the variable C, which is not set"),
        ("${HOME", "has a ${ without its end"),
        ("${A:-${B}", "has a ${ without its end"),
        ("${1}", "has the variable ${1}, none that is understood: it takes a name, and :-, "),
        ("${B/x/y}", "has the variable ${B/x/y}, none that is understood"),
        ("${}", "has the variable ${}, none"),
    ],
)
def test_what_the_file_cannot_mean_is_refused_with_the_true_reason(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(f"RESULTS_DIR={text}\n")
    with pytest.raises(UserError, match=f"line 1: RESULTS_DIR {re.escape(said)}"):
        resolve({}, HOME, file)


def test_a_home_of_nobodys_is_refused() -> None:
    with pytest.raises(UserError, match="is in the home of nobody-here, whom this machine does not know"):
        resolve({"DATA_DIR": "~nobody-here/x"}, HOME, Path("none"))


@pytest.mark.parametrize("name", ["HF_TOKEN", "NGC_API_KEY", "HTTPS_PROXY"])
def test_a_secret_with_a_dollar_sign_is_not_shown(name: str, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(f"{name}=hf_$planted\n")
    with pytest.raises(UserError, match=f"{name} names a variable that is not set.*single quotes") as refused:
        read_file(file, HOME)
    assert "planted" not in str(refused.value)
    file.write_text(f"{name}=hf_${{planted/x}}\n")
    with pytest.raises(UserError, match="none that is understood") as refused:
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
