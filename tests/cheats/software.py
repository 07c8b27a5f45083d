"""Cheats with the software that lanes ran in: upgrades between trials, and environments that are not the lane's."""

from __future__ import annotations

from cheats.changes import TORCH, TRT, TUNED, cheat, with_a_faster_base
from cheats.who import install, surround
from liars import Story
from trtbench.referee.audit.findings import WARN


def with_vllm(story: Story) -> None:
    """Tell the story again with a rival that ran in an environment of its own."""
    story.latency = {TORCH: 2000.0, "vllm": 1000.0}
    story.tell()
    for t in story.of("vllm"):
        surround(t, venv=".venv-vllm", python="3.12.3")
        t.environment = install(t.environment, torch="1.0+cu130", transformers="4.57.3")


@cheat("provenance.versions")
def upgrades_its_environment_and_resumes(story: Story) -> None:
    with_vllm(story)
    for t in list(story.of("vllm"))[3:]:
        t.environment = install(t.environment, transformers="5.0")


@cheat("provenance.versions")
def takes_its_last_trials_with_another_python(story: Story) -> None:
    for t in list(story.of(TRT))[3:]:
        surround(t, python="3.14.0")


@cheat("provenance.versions")
def leaves_its_environment_half_way(story: Story) -> None:
    with_vllm(story)
    for t in list(story.of("vllm"))[3:]:
        surround(t, venv=None)


@cheat("provenance.versions")
def installs_something_for_its_last_trials_and_states_nothing(story: Story) -> None:
    for t in list(story.of(TRT))[3:]:
        t.environment, t.statement = install(t.environment, flashinfer="0.6"), None


@cheat("provenance.environment")
def runs_the_base_in_the_rivals_environment(story: Story) -> None:
    with_vllm(story)
    for t in story.of(TORCH):
        surround(t, venv=".venv-vllm", python="3.12.3")
        t.environment = install(t.environment, torch="1.0+cu130", transformers="4.57.3")


@cheat("provenance.environment")
def runs_in_a_folder_of_its_own_making(story: Story) -> None:
    for t in story.of(TRT):
        surround(t, venv=".venv-patched")


@cheat("provenance.shared", WARN)
def lets_its_rivals_environment_pass_for_the_runs_own(story: Story) -> None:
    with_vllm(story)
    for t in story.of("vllm"):
        surround(t, venv=None)


@cheat("provenance.shared", WARN)
def upgrades_before_the_last_step(story: Story) -> None:
    for t in story.of(TRT):
        t.environment = install(t.environment, transformers="5.0")


@cheat("provenance.shared", WARN)
def runs_one_base_with_another_python(story: Story) -> None:
    with_a_faster_base(story)
    for t in story.of(TUNED):
        surround(t, python="3.14.0")
