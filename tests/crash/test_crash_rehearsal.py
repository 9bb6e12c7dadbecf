"""Kill -9 at every moment: ten seeds of `benchmarks.crash`, each audited against the model server's own count."""

from collections import Counter

import pytest

from benchmarks.crash.__main__ import rehearsed
from benchmarks.crash.audit import GUARANTEES
from benchmarks.crash.plan import EVENTS
from benchmarks.crash.world import NotFinishedError

SEEDS = range(10)
AT_ONCE = 3

# Seeds wait for leases to run out; one fails by itself when it does not come to its end.
pytestmark = pytest.mark.timeout(1_200)


@pytest.fixture(scope="module")
def played():
    """What each seed came to, in an installation of their own."""
    with pytest.MonkeyPatch.context() as environment:
        # What dies measures no coverage, and measuring takes as long again.
        environment.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        return dict(zip(SEEDS, rehearsed(SEEDS, AT_ONCE), strict=True))


@pytest.fixture
def findings(played):
    """The audits of the seeds; one that did not come to its end has none, which its own test says."""
    return [found for found in played.values() if not isinstance(found, NotFinishedError)]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed_comes_to_its_end(played, seed):
    """Whoever was killed where: every event is in, every batch at its end, and something was delivered."""
    found = played[seed]
    assert not isinstance(found, NotFinishedError), str(found)
    assert found.events == EVENTS
    assert found.batches.keys() <= {"DONE", "FAILED", "DEAD"}
    assert found.deliveries > 0


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_under_kill_9_anywhere(findings, database, guarantee):
    """The guarantee holds in every seed on this database; what broke it would be named."""
    found = [one for one in findings if one.database == database]
    assert len(found) >= 4
    assert {one.seed: one.broken[guarantee] for one in found if guarantee in one.broken} == {}


def test_the_ten_seeds_really_kill(findings):
    """A rehearsal in which nobody dies would prove nothing."""
    kills = Counter(kill for one in findings for kill in one.kills)
    assert kills.total() >= 10
    assert len(kills) >= 4
