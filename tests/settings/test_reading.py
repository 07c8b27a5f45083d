"""Reading the settings: who wins, old names, and one sentence for every wrong value."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from command import environment, python
from trtbench.errors import UserError
from trtbench.settings.knobs import ALIASES, DEFAULTS, ROWS, Settings
from trtbench.settings.reading import Parser, add_flags, parse, read_file, resolve, typed

NO_FILE = Path("/nonexistent/.env")


def read(
    flags: dict[str, str] | None = None, environment: dict[str, str] | None = None, file: Path = NO_FILE
) -> Settings:
    return resolve(flags or {}, environment or {}, file)[0]


def wrong_values() -> Iterator[tuple[str, str]]:
    """For every row all the ways in which its value can be wrong."""
    for name, row in ROWS.items():
        if row.kind in ("int", "float", "trials"):
            yield from [(name, text) for text in ("ten", "1_000", "٣", "nan", "inf", "-inf", "0x10", "1" + "0" * 400)]
        if row.kind in ("int", "trials"):
            yield from [(name, "1.5"), (name, "1e3")]
        if row.kind == "trials":
            yield from [(name, "0"), (name, "1001"), (name, "-1"), (name, "automatic")]
        if row.kind in ("int", "float"):
            step = 1 if row.kind == "int" else 1e-6
            yield name, str(row.low if row.above_low else row.low - step)
            yield name, str(row.high + step * 1000)
        if row.kind == "choice":
            yield from [(name, "none-of-these"), (name, f"{row.choices[0]} {row.choices[-1]}")]
        if row.kind == "switch":
            yield from [(name, "2"), (name, "maybe")]
        if row.many:
            good = DEFAULTS[name][0]
            yield from [(name, f"{good},"), (name, f",{good}"), (name, f"{good},{good}"), (name, f"{good};{good},,")]
        yield name, "a\0b"


@pytest.mark.parametrize(("name", "text"), list(wrong_values()))
def test_a_wrong_value_is_named_with_what_would_be_right(name: str, text: str) -> None:
    with pytest.raises(UserError) as refused:
        parse(name, text)
    sentence = str(refused.value)
    assert name in sentence
    assert (ROWS[name].wanted() in sentence) or "same value twice" in sentence
    assert repr(text) in sentence or ROWS[name].secret
    assert "\n" not in sentence


def test_every_row_has_a_wrong_value_here() -> None:
    assert {name for name, _ in wrong_values()} == set(ROWS)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--num-iterations", "ten"], ["NUM_ITERATIONS='ten'", "whole number from 1 to 10000"]),
        (["--top-p", "0"], ["TOP_P='0'", "above 0 and up to 1"]),
        (["--batch-sizes", "1,0"], ["BATCH_SIZES='1,0'", "from 1 to 4096"]),
        (["--precision", "fp64"], ["PRECISION='fp64'", "float32"]),
        (["--report-lang", "de"], ["REPORT_LANG='de'", "en, fr"]),
        (["--trials", ""], ["--trials is empty", "auto or a whole number"]),
        (["--prompts-file", "/nonexistent"], ["PROMPTS_FILE='/nonexistent' is not a file"]),
        (["--new-tokenz", "5"], ["--new-tokenz is not known", "--new-tokens"]),
        (["--hf-token=hf_planted"], ["--hf-token is not known"]),
        (["--lanes", "pytorch-eager,no-such-lane"], ["LANES=", "'no-such-lane'", "pytorch-eager"]),
        (["--family", "no-such"], ["--family", "no-such"]),
    ],
)
def test_the_command_answers_a_mistake_with_one_sentence_and_status_2(flags: list[str], said: list[str]) -> None:
    done = python("-m", "trtbench.bench", *flags)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert all(part in done.stderr for part in said)
    assert "planted" not in done.stderr


def test_nothing_heavy_is_imported_before_a_refusal() -> None:
    program = (
        "import sys; from trtbench.bench import main; from trtbench.errors import UserError\n"
        "try: main(['--top-p', '7'])\n"
        "except UserError as e: print(e, file=sys.stderr)\n"
        "print(*sys.modules)"
    )
    done = python("-c", program)
    assert "TOP_P='7'" in done.stderr
    loaded = set(done.stdout.split())
    assert "trtbench.settings.reading" in loaded
    assert not loaded & {"torch", "transformers", "numpy", "onnxruntime_genai", "tokenizers", "safetensors"}


# Who wins


def test_a_flag_wins_over_the_environment_over_the_file_over_the_default(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("SEED=3\nTHREADS=3\nNUM_ITERATIONS=3\n")
    settings, sources = resolve({"SEED": "1"}, {"SEED": "2", "THREADS": "2"}, file)
    assert (settings.seed, settings.threads, settings.num_iterations, settings.warmup_limit) == (1, 2, 3, 20)
    assert [sources[n] for n in ("SEED", "THREADS", "NUM_ITERATIONS", "WARMUP_LIMIT")] == [
        "flag",
        "environment",
        "file",
        "default",
    ]


def test_local_defaults_are_only_defaults() -> None:
    assert resolve({}, {}, NO_FILE)[0].model_name.startswith("TinyLlama/")
    for defaults, model in (("local", "smollm2"), ("quick", "demo")):
        assert resolve({}, {}, NO_FILE, defaults)[0].model_name == model
        assert resolve({}, {"MODEL_NAME": "tinyllama"}, NO_FILE, defaults)[0].model_name == "tinyllama"


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_value_in_environment_or_file_is_not_set(text: str, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(f"SEED={text}\n")
    assert read(environment={"MODEL_NAME": text, "THREADS": text}, file=file) == Settings()


def test_an_empty_flag_takes_a_text_away_that_the_environment_set() -> None:
    assert read({"HEADLINE": ""}, {"HEADLINE": "onnxruntime"}).headline == ""


@pytest.mark.parametrize("name", [name for name, default in DEFAULTS.items() if default != "" and name in ROWS])
def test_an_empty_flag_is_refused_where_nothing_is_no_value(name: str) -> None:
    with pytest.raises(UserError, match=f"--{name.lower().replace('_', '-')} is empty: it takes"):
        read({name: " "})


# Old names


@pytest.mark.parametrize(("alias", "name"), ALIASES.items())
def test_old_names_set_the_new_ones_everywhere(alias: str, name: str, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(f"{alias}=64\n")
    parser = Parser()
    add_flags(parser)
    flags = vars(parser.parse_args([f"--{alias.lower().replace('_', '-')}", "64"]))
    for settings in (read(environment={alias: "64"}), read(file=file), read(flags)):
        assert getattr(settings, name.lower()) == (64,)


def test_two_names_of_one_setting_must_agree() -> None:
    assert read(environment={"NEW_TOKENS": "64", "MAX_NEW_TOKENS": "64"}).new_tokens == (64,)
    for layer in ({"NEW_TOKENS": "64", "MAX_NEW_TOKENS": "65"}, {"MAX_OUTPUT_LEN": "64", "MAX_NEW_TOKENS": "65"}):
        for given in (dict(flags=layer), dict(environment=layer)):
            with pytest.raises(UserError, match="one setting, to different values; keep NEW_TOKENS"):
                read(**given)


@pytest.mark.parametrize("text", ["0", "many", "8,8"])
def test_a_value_given_by_an_old_name_is_refused_by_that_name(text: str) -> None:
    with pytest.raises(UserError, match=rf"^MAX_NEW_TOKENS='{text}' "):
        read(environment={"MAX_NEW_TOKENS": text})


def test_the_sources_tell_by_which_name_a_setting_was_given() -> None:
    def name(**layers: dict[str, str]) -> str:
        return typed("NEW_TOKENS", resolve(layers.get("flags", {}), layers.get("environment", {}), Path("none"))[1])

    assert name() == name(environment={"NEW_TOKENS": "5"}) == "NEW_TOKENS"
    assert name(environment={"MAX_NEW_TOKENS": "5"}) == "MAX_NEW_TOKENS"
    assert name(environment={"MAX_NEW_TOKENS": "5"}, flags={"MAX_OUTPUT_LEN": "6"}) == "MAX_OUTPUT_LEN"
    assert name(environment={"MAX_NEW_TOKENS": "5"}, flags={"NEW_TOKENS": "6"}) == "NEW_TOKENS"


def test_an_old_name_in_a_stronger_place_wins() -> None:
    assert read({"MAX_NEW_TOKENS": "5"}, {"NEW_TOKENS": "64"}).new_tokens == (5,)


# Names that do not exist


@pytest.mark.parametrize(
    ("misspelt", "right"),
    [("NEW_TOKEN", "NEW_TOKENS"), ("BATCH_SIZE", "BATCH_SIZES"), ("TOPP_P", "TOP_P"), ("MODEL_NAMF", "MODEL_NAME")],
)
def test_a_misspelt_environment_name_is_not_ignored(misspelt: str, right: str) -> None:
    with pytest.raises(UserError, match=f"{misspelt} is set in the environment .* did you mean {right}"):
        read(environment={misspelt: "1"})


def test_names_of_others_are_no_business_of_ours() -> None:
    assert read(environment={"PATH": "/bin", "MODEL": "x", "XDG_DATA_DIRS": "/usr", "BATCH": "2"}) == Settings()


def test_an_unknown_name_in_the_file_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("SEED=1\nNEW_TOKNES=3\n")
    with pytest.raises(UserError, match=r"line 2: NEW_TOKNES is not a setting; did you mean NEW_TOKENS\?$"):
        read(file=file)
    file.write_text("COMPOSE_PROFILES=auto\n")
    assert read(file=file) == Settings()


# The file


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("MODEL_NAME=a", "a"),
        ("export MODEL_NAME=a", "a"),
        ("MODEL_NAME = a ", "a"),
        ("MODEL_NAME='a b'", "a b"),
        ('MODEL_NAME="a # b"', "a # b"),
        ('MODEL_NAME="a" # why', "a"),
        ("MODEL_NAME=a # why", "a"),
        ("MODEL_NAME=a#b", "a#b"),
        ("MODEL_NAME=a=b", "a=b"),
        ("\ufeffMODEL_NAME=a\r", "a"),
    ],
)
def test_lines_of_the_file(line: str, value: str, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(f"{line}\n", encoding="utf-8")
    assert read_file(file) == {"MODEL_NAME": value}


def test_a_line_that_is_no_assignment_is_told_without_its_text(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("SEED=1\n\nHF_TOKEN: hf_planted\n")
    with pytest.raises(UserError, match="line 3 is not NAME=value") as refused:
        read_file(file)
    assert "planted" not in str(refused.value)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_file(tmp_path)
    (tmp_path / ".env").write_bytes(b"SEED=\xff\n")
    with pytest.raises(UserError, match="cannot be read"):
        read_file(tmp_path / ".env")


# Secrets


def test_secrets_have_no_flag_and_are_not_shown_when_wrong() -> None:
    parser = Parser()
    add_flags(parser)
    options = {option for action in parser._actions for option in action.option_strings}
    assert "--seed" in options
    assert not {"--hf-token", "--ngc-api-key"} & options
    with pytest.raises(UserError) as refused:
        read(environment={"HF_TOKEN": "hf_plan\nted"})
    assert "plan" not in str(refused.value)


# What no single row can see


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"TOP_P": "0.9"}, "TOP_P=0.9 has no effect with TEMPERATURE=0"),
        ({"LANES": "auto,onnxruntime"}, "mixes auto with names"),
        ({"PRECISION": "float32,auto"}, "mixes auto with names"),
        ({"DATA_DIR": __file__}, "is a file; it takes a folder"),
        ({"RESULTS_DIR": __file__}, "is a file; it takes a folder"),
    ],
)
def test_combinations_that_make_no_sense(settings: dict[str, str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        read(environment=settings)


def test_help_lists_every_flag_and_its_range() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "trtbench.bench", "--help"], env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0
    text = " ".join(done.stdout.split())
    for name, row in ROWS.items():
        assert (f"[{name}]" in text) != row.secret
    assert "a whole number from 1 to 10000" in text


def test_a_settings_file_hands_network_names_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / ".env"
    file.write_text("HF_ENDPOINT=https://mirror.example\nHTTPS_PROXY=http://proxy.example:3128\n")
    monkeypatch.setenv("HF_ENDPOINT", "")
    monkeypatch.setenv("HTTPS_PROXY", "http://mine.example:1")
    resolve({}, file=file)
    assert os.environ["HF_ENDPOINT"] == "https://mirror.example"
    assert os.environ["HTTPS_PROXY"] == "http://mine.example:1", "the environment stands over the file"


def test_a_setting_given_like_a_variable_names_its_flag() -> None:
    parser = Parser()
    add_flags(parser)
    with pytest.raises(UserError, match=r"did you mean --new-tokens\?"):
        parser.parse_args(["NEW_TOKENS=64"])


def test_the_card_chosen_by_its_number_is_the_only_one_that_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "GPU_INDEX"):
        monkeypatch.setenv(name, "")  # so that what is set is taken back
        monkeypatch.delenv(name)
    file = tmp_path / ".env"
    file.write_text("")
    resolve({}, file=file)
    assert "CUDA_VISIBLE_DEVICES" not in os.environ, "whoever chooses none sees all of them"
    file.write_text("GPU_INDEX=1\n")
    for _ in range(2):  # a second reading in the same process finds what the first has set
        assert resolve({}, file=file)[0].gpu_index == 1
        assert (os.environ["CUDA_VISIBLE_DEVICES"], os.environ["CUDA_DEVICE_ORDER"]) == ("1", "PCI_BUS_ID")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with pytest.raises(UserError, match="GPU_INDEX=1 and CUDA_VISIBLE_DEVICES='0' choose different cards"):
        resolve({}, file=file)
    with pytest.raises(UserError, match="GPU_INDEX='one' is not valid: it takes a whole number from 0 to 63"):
        resolve({"GPU_INDEX": "one"}, file=file)


@pytest.fixture
def no_card_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "GPU_INDEX", "TP_SIZE"):
        monkeypatch.setenv(name, "")  # so that what is set is taken back
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("no_card_chosen")
def test_the_first_card_and_how_many_choose_those_behind_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / ".env"
    file.write_text("GPU_INDEX=1\nTP_SIZE=2\n")
    for _ in range(2):
        settings, sources = resolve({}, file=file)
        assert (settings.gpu_index, settings.tp_size, sources["TP_SIZE"]) == (1, 2, "file")
        assert (os.environ["CUDA_VISIBLE_DEVICES"], os.environ["CUDA_DEVICE_ORDER"]) == ("1,2", "PCI_BUS_ID")
        assert os.environ["GPU_INDEX"] == "1", "a number, for the sentence of a machine without that card"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    with pytest.raises(UserError) as refused:
        resolve({}, file=file)
    assert str(refused.value) == (
        "GPU_INDEX=1 with TP_SIZE=2 and CUDA_VISIBLE_DEVICES='0,1' choose different cards; set one of the two."
    )


@pytest.mark.usefixtures("no_card_chosen")
def test_how_many_cards_alone_chooses_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / ".env"
    file.write_text("")
    assert resolve({"TP_SIZE": "2"}, file=file)[0].tp_size == 2
    assert "CUDA_VISIBLE_DEVICES" not in os.environ
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")  # cards that are no neighbours
    assert resolve({"TP_SIZE": "2"}, file=file)[0].tp_size == 2
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "2,5"


@pytest.mark.parametrize("typed", ["0", "65", "two", "1.5"])
def test_a_number_of_cards_that_is_none_is_refused(tmp_path: Path, typed: str) -> None:
    with pytest.raises(UserError, match=rf"TP_SIZE='{typed}' is not valid: it takes a whole number from 1 to 64"):
        resolve({"TP_SIZE": typed}, file=tmp_path / ".env")
