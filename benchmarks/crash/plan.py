"""What a seed does: the events, the model's faults, and when which process dies. Nothing here is left to chance."""

import json
import random
from dataclasses import dataclass
from typing import Any, Final

KILL_POINTS: Final = (
    "after claim",
    "before call",
    "during call",
    "after call, before commit",
    "after commit, before publish",
    "during publish",
    "any moment",
)
"""Where a worker dies. `any moment` is a kill from outside, the others come from within at the n-th passing."""

EVENTS: Final = 16
DUPLICATES: Final = 3
BROKEN: Final = 2


@dataclass(frozen=True, slots=True)
class Kill:
    """A worker's death: where, and at the n-th passing or after so many seconds."""

    point: str
    nth: int
    after_s: float


@dataclass(frozen=True, slots=True)
class Plan:
    """One seed's story. `kills` are the lives of the workers, in the order in which they are started."""

    seed: int
    database: str
    lines: tuple[str, ...]
    plays: tuple[dict[str, Any], ...]
    kills: tuple[Kill, ...]
    outage_after_s: float | None


def plan_of(seed: int) -> Plan:
    """The story of a seed, the same each time."""
    chance = random.Random(seed)  # noqa: S311 - a rehearsal, not a secret
    points = [KILL_POINTS[seed % len(KILL_POINTS)], *chance.choices(KILL_POINTS, k=5)]
    kills = tuple(Kill(point, chance.randint(1, 3), chance.uniform(0.5, 3.0)) for point in points)
    return Plan(
        seed=seed,
        database=("sqlite", "postgresql")[seed % 2],
        lines=tuple(_lines(chance)),
        plays=tuple(_plays(chance)),
        kills=kills,
        outage_after_s=chance.uniform(0.5, 2.0) if chance.random() < 0.3 else None,
    )


def _lines(chance: random.Random) -> list[str]:
    """Events of two tenants, some of them twice, and lines that are none."""
    good = [json.dumps(_event(chance, number)) for number in range(EVENTS)]
    lines = good + chance.sample(good, DUPLICATES) + ["{ not json", json.dumps({"id": "x"})][:BROKEN]
    chance.shuffle(lines)
    return lines


def _event(chance: random.Random, number: int) -> dict[str, Any]:
    tenant = ("acme", "bolt")[number % 2]
    return {
        "id": f"e-{number}",
        "source": "crash",
        "type": chance.choice(["feedback.submitted", "support.transcript", "survey.response"]),
        "tenant": tenant,
        "user": chance.choice([f"{tenant}-u", None]),
        "time": f"2026-11-20T{number % 24:02}:00:00Z",
        "priority": chance.choice(["low", "low", "low", "high"]),
        "data": {"topic": "phones", "text": chance.choice(TEXTS) + f" Case {number}."},
    }


TEXTS: Final = (
    "The phones in the office have been dead since Monday, and nobody answers our tickets.",
    "The invoice came twice this month; please refund one of them.",
    "Search is slow every morning between eight and nine.",
    "The new export saves us an hour each day. Thank you.",
)


def _plays(chance: random.Random) -> list[dict[str, Any]]:
    """Faults at random requests: storms, hangs, one kind longer than a worker waits, cut and broken answers."""
    kinds: list[dict[str, Any]] = [
        {"kind": "rate_limit", "retry_after": 0.05},
        {"kind": "overloaded"},
        {"kind": "error", "status": 500},
        {"kind": "hang", "seconds": 0.3},
        {"kind": "hang", "seconds": 8},
        {"kind": "disconnect"},
        {"kind": "latency", "seconds": 0.4},
        {"kind": "truncate"},
        {"kind": "malformed"},
        {"kind": "nonsense"},
    ]
    weights = [6, 6, 4, 3, 1, 4, 8, 1, 1, 1]
    picks = chance.choices(kinds, weights, k=14)
    faults = [{"match": {"nth": chance.randint(1, 80)}, "play": play} for play in picks]
    storm = {"match": {}, "play": {"kind": "overloaded"}, "times": chance.randint(3, 12)}
    late = [{"match": {"nth": chance.randint(20, 80)}, "play": {"kind": "latency", "seconds": 0.2}}]
    return [*faults, *([storm] if chance.random() < 0.3 else []), *late]
