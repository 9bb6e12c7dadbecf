"""Documents that a task refers to: fetched from the tenant's own place in S3, and from nowhere else."""

import httpx
import pytest
from pydantic import SecretStr

from flows import aws
from ledger.engine import close_ledger, open_ledger
from tasks.settings import Settings
from tests.aws.conftest import ACCOUNT, REGION
from tests.gateway.conftest import Door, served


@pytest.fixture
def acme(aws_address, bucket, clients, tmp_path, sqlite_url, monkeypatch):
    """A client of a gateway whose tenants have places in a bucket."""
    given = {"AWS_ENDPOINT_URL": aws_address, "AWS_DEFAULT_REGION": REGION}
    given |= {"AWS_ACCESS_KEY_ID": ACCOUNT["aws_access_key_id"]}
    given |= {"AWS_SECRET_ACCESS_KEY": ACCOUNT["aws_secret_access_key"]}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(aws, "_made", {})
    for key, body in (
        ("acme/a.txt", b"words"),
        ("acme/b.txt", b"\xff"),
        ("acme/c.txt", b"x" * 300_000),
        ("beta/a.txt", b""),
    ):
        clients.s3.put_object(Bucket=bucket, Key=key, Body=body)
    settings = Settings(
        home=tmp_path, database_url=SecretStr(sqlite_url), documents=f"s3://{bucket}/{{tenant}}/"
    )
    with served(settings) as address:
        book = open_ledger(sqlite_url)
        with Door(address, book).client() as client:
            yield client
        close_ledger(book)


def ask(client: httpx.Client, reference: str) -> httpx.Response:
    """A task about a document."""
    return client.post("/v1/tasks", json={"prompt": "What is it about?", "documentReference": reference})


def test_a_document_goes_with_its_prompt(acme, bucket, sqlite_url):
    """Its text is the event's."""
    assert ask(acme, f"s3://{bucket}/acme/a.txt").status_code == 202
    book = open_ledger(sqlite_url)
    with book.connect() as connection:
        text = connection.exec_driver_sql("SELECT json_extract(payload, '$.data.text') FROM events").scalar()
    close_ledger(book)
    assert text == "What is it about?\n\nwords"


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("acme/gone.txt", "NoSuchKey"),
        ("acme/b.txt", "is no text"),
        ("acme/c.txt", "larger than 262,144 bytes"),
        ("beta/a.txt", "below s3://"),
        ("acme", "below s3://"),
        ("acme/../beta/a.txt", "below s3://"),
    ],
)
def test_what_is_no_document_of_the_tenants_is_refused(acme, bucket, key, said):
    """Whether it is there or not."""
    answer = ask(acme, f"s3://{bucket}/{key}")
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


@pytest.mark.parametrize("place", ["s3://bucket/{tenant}", "s3://bucket/all/", "https://bucket/{tenant}/"])
def test_a_place_that_is_not_each_tenants_own_is_refused(tmp_path, place):
    """When the settings are read."""
    with pytest.raises(ValueError, match="a place for each tenant"):
        Settings(home=tmp_path, documents=place)
