"""A home in which every way of ending has happened."""

from dataclasses import dataclass

import pytest

from deployments.offline_model.server import serve_offline
from tests.commands import FEW, Cli

SHOUTED = "I HAVE CALLED AND CALLED AND CALLED AND ALL I GET IS THAT STUPID FLUTE"
HOSTILE = '{"schema_version": "[/red]\\u001b[2J9", "id": "h-1", "tenant": "acme"}\n'
REFUSED = {
    "match": {"schema": "InsightReport", "contains": "brokeco"},
    "play": {"kind": "error", "status": 400},
}


@dataclass(frozen=True)
class Worked:
    """A home in which every way of ending has happened, and what `run --json` said of it."""

    cli: Cli
    run: dict


@pytest.fixture(scope="session")
def worked(tmp_path_factory, prefect_url, lines_of) -> Worked:
    """A home with a batch DONE, one FAILED at the gate, one DEAD, a duplicate and two rejections."""
    cli = Cli(tmp_path_factory.mktemp("worked"), FEW | {"PREFECT_API_URL": prefect_url})
    acme = lines_of("acme", 2, user="ann")
    events = (
        acme + acme.splitlines()[0] + "\n" + lines_of("shoutco", 1, text=SHOUTED) + lines_of("brokeco", 2)
    )
    with serve_offline([REFUSED]) as model:
        cli = cli.given(PENSTOCK_OFFLINE_URL=model.url)
        counts = cli.json("ingest", "-", stdin=events + "no JSON at all\n" + HOSTILE)
        assert counts == {"read": 8, "accepted": 5, "duplicates": 1, "rejected": 2}
        run = cli.json("run", "--until-idle", "--flush", code=1)
    return Worked(cli, run)
