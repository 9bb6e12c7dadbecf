"""`deploy`: what differs is shown, asked about, and made so."""

import pytest


@pytest.fixture
def cli(bare, prefect_url):
    """The command, with a server that somebody runs."""
    return bare.given(PREFECT_API_URL=prefect_url)


def test_what_differs_is_shown_and_nothing_is_changed_without_a_word(cli):
    """A dry run changes nothing; nobody there to be asked is a refusal; after it nothing differs."""
    wider = cli.given(PENSTOCK_REQUESTS_BY_TENANT='{"deploy-test": 2}')
    shown = wider("deploy", "--dry-run", code=0).stdout
    assert "What differs" in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert "--yes" in wider("deploy", code=2).stderr
    made = wider.json("deploy", "--yes")
    limit = {"what": "create", "kind": "limit", "name": "penstock-model-requests@deploy-test", "values": {}}
    assert limit in made["differences"]
    assert "Nothing differs" in wider("deploy", "--dry-run", code=0).stdout


def test_a_server_that_is_not_there_is_told_in_one_line(bare):
    """With the way out."""
    said = bare.given(PREFECT_API_URL="http://127.0.0.1:9/api").complaint("deploy", "--yes", code=3)
    assert "PREFECT_API_URL" in said
