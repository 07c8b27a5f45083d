"""A plan is data, read strictly: each mistake is one sentence that names the row, the value and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from trtbench.errors import UserError
from trtbench.fleet import plan as plans
from trtbench.fleet.plan import Plan

GOOD = """\
name: first
models: [demo, tinyllama]
precisions: [float16, int8]
kinds:
  h200: {accelerator: H200, price: 3.5}
  laptop: {resource: laptop, cards: 0, cpus: 8, price: 0.1}
settings:
  BATCH_SIZES: [1, 8]
  NEW_TOKENS: 200
  ENERGY: false
repeats: 2
currency: EUR
"""


def parsed(text: str) -> Plan:
    return plans.parsed(text.encode(), "plan.yaml")


def refusal(text: str) -> str:
    with pytest.raises(UserError) as refused:
        parsed(text)
    sentence = str(refused.value)
    assert sentence.startswith("plan.yaml") and "\n" not in sentence and len(sentence) < 700
    return sentence


def test_each_model_precision_and_kind_is_wanted_and_repeats_come_last() -> None:
    runs = parsed(GOOD).wanted()
    assert len(runs) == len({run.id for run in runs}) == 2 * 2 * 2 * 2
    assert [run.repeat for run in runs] == [1] * 8 + [2] * 8
    assert runs[0].settings == {"BATCH_SIZES": "1,8", "NEW_TOKENS": "200", "ENERGY": "0"}


def test_the_name_of_a_run_is_readable_and_another_for_another_run() -> None:
    ids = {run.id for text in (GOOD, GOOD.replace("200", "201")) for run in parsed(text).wanted()}
    assert len(ids) == 32
    assert all(name.replace("-", "").isalnum() and len(name) < 120 for name in ids)
    assert any(name.startswith("h200-tinyllama-float16-1-") for name in ids)


def test_an_old_name_of_a_setting_is_the_setting() -> None:
    old, new = (parsed(GOOD.replace("NEW_TOKENS", name)).wanted() for name in ("MAX_NEW_TOKENS", "NEW_TOKENS"))
    assert [run.id for run in old] == [run.id for run in new]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("name: first", "name: ../first"), "name='../first'"),
        (("name: first", "name: First"), "small letters"),
        (("name: first", "nome: first"), "did you mean name?"),
        (("models: [demo, tinyllama]", "models: []"), "models=[]"),
        (("models: [demo, tinyllama]", "models: [demo, demo]"), "each once"),
        (("models: [demo, tinyllama]", 'models: ["a\\nb"]'), "in one line"),
        (("float16, int8", "float17"), "float17"),
        (("kinds:\n", "kinds:\n  a b: {}\n"), "kinds='a b'"),
        (("accelerator: H200", "accelerator: $(id)"), "kinds.h200.accelerator='$(id)'"),
        (("accelerator: H200", "speed: 3"), "speed"),
        (("price: 3.5", "price: -1"), "kinds.h200.price=-1"),
        (("price: 3.5", "price: .inf"), "kinds.h200.price=inf"),
        (("cards: 0", "cards: 2"), "kinds.laptop.cpus=8"),
        (("cpus: 8", "cpus: 0"), "kinds.laptop.cpus=0"),
        (("currency: EUR", ""), "currency=''"),
        (("repeats: 2", "repeats: 0"), "repeats=0"),
        (("repeats: 2", "repeats: two"), "repeats"),
        (("ENERGY: false", "ENERGY: perhaps"), "ENERGY='perhaps'"),
        (("NEW_TOKENS: 200", "NEW_TOKEN: 200"), "did you mean NEW_TOKENS?"),
        (("NEW_TOKENS: 200", "NEW_TOKENS: {a: 1}"), "settings.NEW_TOKENS"),
        (("NEW_TOKENS: 200", "HF_TOKEN: hf_x"), "secret"),
        (("NEW_TOKENS: 200", "MODEL_NAME: demo"), "the plan's row for it is models"),
        (("NEW_TOKENS: 200", "RESULTS_DIR: /tmp/x"), "each machine's own matter"),
        (("NEW_TOKENS: 200", "GPU_INDEX: 1"), "each machine's own matter"),
        (("repeats: 2", "repeats: 2\nrepeats: 3"), "repeats stands twice"),
        (("repeats: 2", "repeats: !!python/object/apply:os.system [id]"), "line 11"),
        (("repeats: 2", "retries: &a 1\nrepeats: *a"), "alias"),
        (("repeats: 2", "repeats: [2"), "plain YAML"),
        (("repeats: 2", 'repeats: !!float ""'), "plan.yaml is no plan"),
        (("repeats: 2", "repeats: !!bool x"), "plan.yaml is no plan"),
        (("repeats: 2", "repeats: !!timestamp x"), "plan.yaml is no plan"),
        (("price: 3.5", "price: 1.0e-306"), "kinds.h200.price=1e-306"),
        (("resource: laptop", "resource: CPU"), "kinds.laptop.resource='CPU'"),
        (("NEW_TOKENS: 200", "MODEL_REVISION: ''"), "settings.MODEL_REVISION=''"),
        (("NEW_TOKENS: 200", 'MODEL_REVISION: "a\u202eb"'), "in one line"),
        (("NEW_TOKENS: 200", "TP_SIZE: [1, 2]"), "TP_SIZE='1,2'"),
    ],
)
def test_a_mistake_is_one_sentence(change: tuple[str, str], said: str) -> None:
    assert change[0] in GOOD
    assert said in refusal(GOOD.replace(*change))


@pytest.mark.parametrize("text", ["", "- a", "a", "name: first", "\0", "[" * 5000, "a: " * 3000])
def test_what_is_no_plan_is_one_sentence(text: str) -> None:
    refusal(text)


def test_a_secret_is_not_shown() -> None:
    assert "hf_x" not in refusal(GOOD.replace("NEW_TOKENS: 200", "HF_TOKEN: hf_x"))


def test_too_many_runs_are_refused_before_any_is_made() -> None:
    models = ", ".join(f"m{i}" for i in range(1000))
    text = GOOD.replace("demo, tinyllama", models).replace("repeats: 2", "repeats: 1000")
    assert "4,000,000 runs" in refusal(text)


def test_a_file_that_is_too_large_or_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_bytes(b"#" * (plans.LARGEST + 1))
    for path in (tmp_path / "plan.yaml", tmp_path / "none.yaml", tmp_path):
        with pytest.raises(UserError, match=str(path)):
            plans.read(path)
