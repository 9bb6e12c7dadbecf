"""Kill -9 at every moment: ten seeds of `benchmarks.crash`, each audited against the model server's own count."""

from collections import Counter
from functools import cache

import pytest

from benchmarks.crash.__main__ import installation
from benchmarks.crash.audit import GUARANTEES, audited
from benchmarks.crash.plan import EVENTS, plan_of
from benchmarks.crash.world import play

SEEDS = range(10)

# A seed waits for leases to run out; it fails by itself when it does not come to its end.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory):
    """Plays a seed to its end in an installation of its own and audits it; remembers what it found."""
    home = tmp_path_factory.mktemp("crash")
    with pytest.MonkeyPatch.context() as environment:
        # What dies measures no coverage, and measuring takes as long again.
        environment.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        with installation(home) as (prefect_url, database_of):

            @cache
            def found(seed):
                plan = plan_of(seed)
                return audited(play(plan, home / f"seed-{seed}", database_of(plan), prefect_url))

            yield found


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed_comes_to_its_end(rehearsal, seed):
    """Whoever was killed where: every event is in, every batch at its end, and something was delivered."""
    found = rehearsal(seed)
    assert found.events == EVENTS
    assert found.batches.keys() <= {"DONE", "FAILED", "DEAD"}
    assert found.deliveries > 0


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_under_kill_9_anywhere(rehearsal, database, guarantee):
    """The guarantee holds in every seed on this database; what broke it would be named."""
    found = [one for one in map(rehearsal, SEEDS) if one.database == database]
    assert len(found) >= 4
    assert {one.seed: one.broken[guarantee] for one in found if guarantee in one.broken} == {}


def test_the_ten_seeds_really_kill(rehearsal):
    """A rehearsal in which nobody dies would prove nothing."""
    kills = Counter(kill for seed in SEEDS for kill in rehearsal(seed).kills)
    assert kills.total() >= 10
    assert len(kills) >= 4
