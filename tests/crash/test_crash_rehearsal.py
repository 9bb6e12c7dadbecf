"""Kill -9 at every moment: ten seeds of `benchmarks.crash`, each audited against the model server's own count."""

from collections import Counter

import pytest

from benchmarks.crash.__main__ import installation
from benchmarks.crash.audit import audited
from benchmarks.crash.plan import EVENTS, plan_of
from benchmarks.crash.world import play

SEEDS = range(10)


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory):
    """Plays a seed to its end in an installation of its own and audits it; remembers what it found."""
    home = tmp_path_factory.mktemp("crash")
    with installation(home) as (prefect_url, database_of):
        found = {}

        def once(seed):
            if seed not in found:
                plan = plan_of(seed)
                found[seed] = audited(play(plan, home / f"seed-{seed}", database_of(plan), prefect_url))
            return found[seed]

        yield once


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_nothing_paid_twice_and_nothing_leaves_unjudged(rehearsal, seed):
    """Whoever was killed where: every event once, no kept answer asked for again, every delivery once."""
    found = rehearsal(seed)
    assert found.violations == ()
    assert found.events == EVENTS
    assert found.batches.keys() <= {"DONE", "FAILED", "DEAD"}
    assert found.deliveries > 0


def test_the_ten_seeds_really_kill(rehearsal):
    """A rehearsal in which nobody dies would prove nothing."""
    kills = Counter(kill for seed in SEEDS for kill in rehearsal(seed).kills)
    assert kills.total() >= 10
    assert len(kills) >= 4
