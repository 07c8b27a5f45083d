"""The way of a fleet: nothing is lost, nothing is made twice, never two runs where one belongs, whatever the cluster does."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from a_cluster import MODEL, ACluster, bundle_of, machine

from trtbench.errors import UserError
from trtbench.fleet import conducting
from trtbench.fleet import plan as plans
from trtbench.fleet.auditing import Auditors
from trtbench.fleet.cluster import Job, Unreachable
from trtbench.fleet.cluster import State as Seen
from trtbench.fleet.conducting import Conductor
from trtbench.fleet.plan import Plan
from trtbench.fleet.state import State

PLAN = f"""\
name: first
models: [{MODEL}]
precisions: [float16]
kinds:
  small: {{resource: small}}
settings: {{SEED: 3}}
"""


def plan_of(**rows: Any) -> Plan:
    plan = plans.parsed(PLAN.encode(), "plan.yaml")
    return Plan(**{**{name: getattr(plan, name) for name in Plan.__struct_fields__}, **rows})


class Hands:
    """What a test holds: the clock that stands still between looks, the lines that were told."""

    def __init__(self, folder: Path, cluster: ACluster, plan: Plan) -> None:
        self.cluster, self.plan = cluster, plan
        self.state = State(folder, plan.wanted())
        self.now, self.lines = 0.0, list[str]()
        self.looks = 0
        self.between: Callable[[int], None] = lambda look: None

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.looks += 1
        assert self.looks < 2000, "it never ends"
        self.cluster.look()
        self.between(self.looks)

    def run(self, resume: bool = False) -> dict[str, str]:
        """Conduct to the end; how each run ended."""
        with self.state.writing(self.plan.name, resume), Auditors(1) as auditors:
            conductor = Conductor(
                self.plan, self.state, self.cluster, auditors, self.lines.append, lambda: self.now, self.sleep
            )
            try:
                conductor.run()
            except KeyboardInterrupt:
                conductor.stop()
        return {run: course.ran.status for run, course in self.state.courses.items()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "fleet"


def three(**more: Any) -> ACluster:
    return ACluster([machine(name, small=1.0) for name in "abc"], **more)


def test_every_run_comes_back_once_and_whole(folder: Path) -> None:
    hands = Hands(folder, three(), plan_of(repeats=7))
    assert Counter(hands.run().values()) == {"back": 7}
    assert len(hands.cluster.jobs) == 7 and hands.cluster.most_waiting <= 3
    assert {len(list((folder / "bundles").iterdir()))} == {7}
    assert all(course.ran.machine and course.attempts == 1 for course in hands.state.courses.values())


def test_a_run_that_is_lost_with_its_machine_is_made_as_a_whole_elsewhere(folder: Path) -> None:
    hands = Hands(folder, three(takes=5), plan_of(repeats=4))
    hands.between = lambda look: hands.cluster.kill("b") if look == 2 else None
    assert Counter(hands.run().values()) == {"back": 4}
    losses = [course for course in hands.state.courses.values() if course.losses]
    assert [(course.attempts, course.losses) for course in losses] == [(2, 1)]
    assert losses[0].node != "b" and len(hands.cluster.jobs) == 5


def test_a_run_that_is_always_lost_is_given_up_and_told(folder: Path) -> None:
    cluster = three(troubles=lambda job, machine: Seen("lost", machine, "gone"))
    hands = Hands(folder, cluster, plan_of(retries=2))
    assert list(hands.run().values()) == ["lost"]
    (course,) = hands.state.courses.values()
    assert (course.attempts, course.losses, course.reason) == (3, 3, "gone")
    hands = Hands(folder, three(), plan_of(retries=2))
    assert list(hands.run(resume=True).values()) == ["back"]
    assert next(iter(hands.state.courses.values())).attempts == 4


def test_a_run_that_fails_of_itself_is_not_made_again_before_somebody_says_so(folder: Path) -> None:
    def fails(job: Job, machine: str) -> Seen | None:
        return Seen("failed", machine, "it ended with exit status 2") if "-2-" in job.id else None

    hands = Hands(folder, three(troubles=fails), plan_of(repeats=3))
    assert sorted(hands.run().values()) == ["back", "back", "failed"]
    assert len(hands.cluster.jobs) == 3
    again = Hands(folder, three(), plan_of(repeats=3))
    assert set(again.run(resume=True).values()) == {"back"}
    assert len(again.cluster.jobs) == 1


def test_what_came_back_is_not_made_again(folder: Path) -> None:
    Hands(folder, three(), plan_of(repeats=3)).run()
    again = Hands(folder, three(), plan_of(repeats=5))
    assert set(again.run(resume=True).values()) == {"back"}
    assert len(again.cluster.jobs) == 2


def test_jobs_go_on_when_the_command_dies_and_are_found_again(folder: Path) -> None:
    class Killed(BaseException):
        pass

    def die(look: int) -> None:
        if look == 2:
            raise Killed

    cluster = three(takes=6)
    first = Hands(folder, cluster, plan_of(repeats=3))
    first.between = die
    with pytest.raises(Killed):
        first.run()
    second = Hands(folder, cluster, plan_of(repeats=3))
    assert set(second.run(resume=True).values()) == {"back"}
    assert len(cluster.jobs) == 3
    assert all(course.attempts == 1 for course in second.state.courses.values())


def test_a_job_that_was_numbered_and_never_submitted_is_submitted(folder: Path) -> None:
    class Killed(BaseException):
        pass

    class Dies(ACluster):
        def submit(self, job: Job) -> None:
            raise Killed

    with pytest.raises(Killed):
        Hands(folder, Dies([machine("a", small=1.0)]), plan_of()).run()
    hands = Hands(folder, three(), plan_of())
    assert list(hands.run(resume=True).values()) == ["back"]
    (course,) = hands.state.courses.values()
    assert (course.attempts, course.losses, course.placed) == (1, 0, 1)


def test_a_cluster_that_is_silent_for_a_while_costs_nothing(folder: Path) -> None:
    hands = Hands(folder, three(takes=4), plan_of(repeats=6))

    def silent(look: int) -> None:
        hands.cluster.silent = 3 if look in (1, 6, 9) else hands.cluster.silent

    hands.between = silent
    assert set(hands.run().values()) == {"back"}
    assert len(hands.cluster.jobs) == 6


def test_a_cluster_that_is_gone_is_given_up_and_can_be_resumed(folder: Path) -> None:
    cluster = three(takes=4)
    hands = Hands(folder, cluster, plan_of(repeats=3))
    hands.between = lambda look: setattr(cluster, "silent", 10_000) if look == 1 else None
    with pytest.raises(UserError, match="--resume finds them again"):
        hands.run()
    assert hands.now >= conducting.SILENCE
    cluster.silent = 0
    again = Hands(folder, cluster, plan_of(repeats=3))
    assert set(again.run(resume=True).values()) == {"back"}
    assert len(cluster.jobs) == 3


def test_stopping_ends_the_jobs_and_resuming_makes_their_runs(folder: Path) -> None:
    def stop(look: int) -> None:
        if look == 2:
            raise KeyboardInterrupt

    cluster = three(takes=5)
    hands = Hands(folder, cluster, plan_of(repeats=4))
    hands.between = stop
    assert Counter(hands.run().values()) == {"stopped": 3, "missing": 1}
    assert len(cluster.stopped) == 3
    again = Hands(folder, cluster, plan_of(repeats=4))
    assert set(again.run(resume=True).values()) == {"back"}


def test_repeats_go_to_machines_that_did_not_have_the_run(folder: Path) -> None:
    hands = Hands(folder, three(), plan_of(repeats=3))
    hands.run()
    assert {name for _, name in hands.cluster.placed} == {"a", "b", "c"}
    many = Hands(folder.with_name("many"), three(), plan_of(repeats=7))
    assert set(many.run().values()) == {"back"}


def test_no_two_runs_share_a_card_and_by_default_not_a_machine(folder: Path) -> None:
    busy: Counter[str] = Counter()

    class Watched(ACluster):
        def look(self, seconds: float = 0.0) -> None:
            for one in self.alive:
                here = sum(state == Seen("running", one.id) for state in self.states.values())
                busy[one.id] = max(busy[one.id], here)
            super().look()

    for cards, most in ((None, 1), (1, 4)):
        busy.clear()
        cluster = Watched([machine("a", cards=4), machine("b", cards=4)], takes=3)
        kinds = {"big": plans.Kind(cards=cards)}
        hands = Hands(folder.with_name(f"cards{cards}"), cluster, plan_of(kinds=kinds, repeats=9))
        assert set(hands.run().values()) == {"back"}
        assert max(busy.values()) <= most


def test_a_bundle_that_is_not_the_run_that_was_asked_for_is_refused(folder: Path) -> None:
    def other(run: str, seed: int) -> bytes:
        return bundle_of(run.replace('"SEED": "3"', '"SEED": "4"'), seed)

    hands = Hands(folder, three(made=other), plan_of())
    assert list(hands.run().values()) == ["refused"]
    (course,) = hands.state.courses.values()
    assert "SEED was to be 3 and is 4" in course.reason
    again = Hands(folder, three(), plan_of())
    assert list(again.run(resume=True).values()) == ["back"]


@pytest.mark.parametrize("data", [b"", b"no gzip", b"\x1f\x8b\x08" + b"\0" * 50])
def test_what_is_no_bundle_is_refused(folder: Path, data: bytes) -> None:
    hands = Hands(folder, three(made=lambda run, seed: data), plan_of())
    assert list(hands.run().values()) == ["refused"]


def test_one_bundle_can_not_stand_for_two_runs(folder: Path) -> None:
    hands = Hands(folder, three(made=lambda run, seed: bundle_of(run, 1)), plan_of(repeats=2))
    assert sorted(hands.run().values()) == ["back", "refused"]
    assert any("is the bundle of" in line for line in hands.lines)


def test_a_log_that_is_gone_with_its_machine_is_a_loss(folder: Path) -> None:
    class Forgetful(ACluster):
        def log(self, job_id: str) -> str:
            return "" if job_id.endswith("-1") else super().log(job_id)

    hands = Hands(folder, Forgetful([machine("a", small=1.0)]), plan_of())
    assert list(hands.run().values()) == ["back"]
    assert next(iter(hands.state.courses.values())).losses == 1


def test_a_bundle_that_was_changed_afterwards_counts_no_more(folder: Path) -> None:
    first = Hands(folder, three(), plan_of(repeats=2))
    first.run()
    changed, gone = (first.state.bundle(run) for run in first.state.courses)
    changed.write_bytes(bundle_of('{"model": "x", "settings": {}}', 9))
    gone.unlink()
    again = Hands(folder, three(), plan_of(repeats=2))
    assert set(again.run(resume=True).values()) == {"back"}
    assert len(again.cluster.jobs) == 2 and sum("was changed" in line for line in again.lines) == 2


def test_a_kind_without_any_machine_is_told_before_anything_is_made(folder: Path) -> None:
    plan = plan_of(kinds={"small": plans.Kind(resource="small"), "h200": plans.Kind(accelerator="H200")})
    hands = Hands(folder, three(), plan)
    with pytest.raises(UserError, match="kinds.h200: no machine of the cluster has the resource accelerator_type:H200"):
        hands.run()
    assert not hands.cluster.jobs


def test_machines_that_are_to_come_are_waited_for(folder: Path) -> None:
    cluster = ACluster([machine("head")])
    hands = Hands(
        folder, cluster, plan_of(kinds={"small": plans.Kind(resource="small", cpus=4, cards=0, machines=2)}, repeats=3)
    )
    hands.between = lambda look: cluster.alive.append(machine(f"n{look}", small=1.0)) if look in (5, 6) else None
    assert set(hands.run().values()) == {"back"}


def test_a_kind_whose_machines_all_go_is_left_after_a_while(folder: Path) -> None:
    cluster = three(takes=3)
    hands = Hands(folder, cluster, plan_of(repeats=6))
    hands.between = lambda look: [cluster.kill(name) for name in "abc"] and None if look == 5 else None
    statuses = Counter(hands.run().values())
    assert statuses["back"] == 3 and statuses["back"] + statuses["lost"] + statuses["missing"] == 6
    assert any("are left" in line for line in hands.lines)


def test_a_plan_that_splits_over_more_cards_than_it_takes_is_refused(folder: Path) -> None:
    plan = plan_of(kinds={"big": plans.Kind(cards=1)}, settings={"TP_SIZE": 2})
    with pytest.raises(UserError, match=r"kinds.big.cards=1 is less than the TP_SIZE=2"):
        Hands(folder, ACluster([machine("a", cards=4)]), plan).run()


def test_a_log_that_can_not_be_had_holds_up_no_other_run(folder: Path) -> None:
    class Unreadable(ACluster):
        def log(self, job_id: str) -> str:
            if "-float16-1-" in job_id and job_id.endswith("-1"):
                raise Unreachable("its log has more than 96 MiB")
            return super().log(job_id)

    hands = Hands(folder, Unreadable([machine("a", small=1.0)], takes=1), plan_of(repeats=4))
    assert set(hands.run().values()) == {"back"}
    assert sorted(course.losses for course in hands.state.courses.values()) == [0, 0, 0, 1]
    order = [line for line in hands.lines if " is back " in line or "more than 96 MiB" in line]
    assert "more than 96 MiB" in order[3] and "-float16-1-" in order[4]


def test_a_run_whose_new_bundle_does_not_come_is_not_back_for_its_old_one(folder: Path) -> None:
    first = Hands(folder, three(), plan_of())
    first.run()
    (run,) = first.state.courses
    first.state.bundle(run).unlink()
    failing = three(troubles=lambda job, place: Seen("failed", place, "it ended with exit status 2"))
    again = Hands(folder, failing, plan_of())
    assert list(again.run(resume=True).values()) == ["failed"]
    once_more = State(folder, again.plan.wanted())
    once_more.read()
    assert once_more.courses[run].outcome is None and once_more.courses[run].ran.status == "failed"


def test_what_a_bundle_leaves_out_of_a_name_may_have_been_anything(folder: Path) -> None:
    def sieved(run: str, seed: int) -> bytes:
        return bundle_of(run.replace("alice/", "[name]/"), seed)

    hands = Hands(folder, three(made=sieved), plan_of(models=["alice/llama-ft"]))
    assert list(hands.run().values()) == ["back"]
    other = Hands(folder.with_name("other"), three(made=sieved), plan_of(models=["alice/llama-ft"]))
    other.cluster.made = lambda run, seed: bundle_of(run.replace("llama-ft", "llama-pt"), seed)
    assert list(other.run().values()) == ["refused"]


def test_a_machine_on_which_everything_fails_is_kept_out(folder: Path) -> None:
    def broken(job: Job, place: str) -> Seen | None:
        return Seen("failed", place, "it ended with exit status 127") if place == "a" else None

    cluster = three(takes=4, troubles=broken)

    hands = Hands(folder, cluster, plan_of(models=[f"org/m{n}" for n in range(30)]))

    # The broken one is done with a run at once, and would take most of them.
    def fails_at_once(look: int) -> None:
        for name, state in list(cluster.states.items()):
            if state == Seen("running", "a"):
                cluster.left[name] = 0

    hands.between = fails_at_once
    statuses = Counter(hands.run().values())
    assert statuses["failed"] <= conducting.FAILURES + 1 and statuses["back"] >= 26


def test_a_submission_whose_answer_is_lost_makes_one_job(folder: Path) -> None:
    class Late(ACluster):
        """Takes the first submission a look later than it is asked about."""

        late: Job | None = None

        def submit(self, job: Job) -> None:
            if self.late is None:
                Late.late = job
                raise Unreachable("it does not answer")
            super().submit(job)

        def look(self, seconds: float = 0.0) -> None:
            if self.late is not None and self.late.id not in self.jobs:
                super().submit(self.late)
            super().look()

    cluster = Late([machine("a", small=1.0), machine("b", small=1.0)])
    hands = Hands(folder, cluster, plan_of())
    assert list(hands.run().values()) == ["back"]
    assert len(cluster.jobs) == 1


def test_jobs_that_an_earlier_call_had_stopped_are_made_at_once(folder: Path) -> None:
    class Killed(BaseException):
        pass

    cluster = three(takes=5)
    first = Hands(folder, cluster, plan_of(repeats=3))

    def die(look: int) -> None:
        if look == 2:
            raise Killed

    first.between = die
    with pytest.raises(Killed):
        first.run()
    for job in list(cluster.jobs):
        cluster.stop(job)
    assert set(Hands(folder, cluster, plan_of(repeats=3)).run(resume=True).values()) == {"back"}


def test_all_jobs_are_asked_to_stop_though_one_answer_lacks(folder: Path) -> None:
    class Deaf(ACluster):
        deaf = True

        def stop(self, job_id: str) -> None:
            if Deaf.deaf:
                Deaf.deaf = False
                raise Unreachable("it does not answer")
            super().stop(job_id)

    def stop(look: int) -> None:
        if look == 2:
            raise KeyboardInterrupt

    hands = Hands(folder, Deaf([machine(name, small=1.0) for name in "abc"], takes=500), plan_of(repeats=3))
    hands.between = stop
    assert Counter(hands.run().values()) == {"stopped": 2, "missing": 1}
    assert any("may go on" in line for line in hands.lines)


def test_what_came_back_before_a_stop_has_its_figures(folder: Path) -> None:
    def stop(look: int) -> None:
        if look == 3:
            raise KeyboardInterrupt

    hands = Hands(folder, three(), plan_of(repeats=5))
    hands.between = stop
    statuses = Counter(hands.run().values())
    assert statuses["back"] == 3
    assert sum(course.outcome is not None for course in hands.state.courses.values()) == 3


def test_a_run_for_which_there_is_never_a_machine_ends(folder: Path) -> None:
    hands = Hands(folder, three(troubles=lambda job, place: Seen("unplaced", "", "no room")), plan_of())
    assert list(hands.run().values()) == ["unplaced"]


def test_one_run_packed_twice_is_one_run(folder: Path) -> None:
    def packed(run: str, seed: int) -> bytes:
        return gzip.compress(gzip.decompress(bundle_of(run, 1)), 1 + seed % 9, mtime=0)

    hands = Hands(folder, three(made=packed), plan_of(repeats=3))
    assert Counter(hands.run().values()) == {"back": 1, "refused": 2}


def test_another_kind_of_the_same_name_is_another_run() -> None:
    names = {
        plan_of(kinds={"small": kind}).wanted()[0].id
        for kind in (
            plans.Kind(resource="small"),
            plans.Kind(resource="small", cpus=4, cards=0),
            plans.Kind(accelerator="L4"),
            plans.Kind(resource="small", docker=True),
        )
    }
    assert len(names) == 4
    assert (
        len(
            {
                plan_of(kinds={"small": plans.Kind(price=price, machines=n)}).wanted()[0].id
                for price, n in ((1, 0), (2, 5))
            }
        )
        == 1
    )
