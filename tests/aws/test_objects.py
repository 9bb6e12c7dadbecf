"""Objects: files of records in S3 are taken in as they come down, however they are packed."""

import gzip
import io
import json
import re
import threading
from urllib.parse import quote_plus

import polars as pl
import pytest
import zstandard
from pypdf import PdfWriter
from pypdf.generic import DictionaryObject, NameObject, StreamObject

from ledger.intake import read_rejections
from tasks.sources.aws import objects
from tasks.sources.aws.clients import GoneError
from tasks.sources.aws.objects import fetch, is_records, read_object
from tasks.sources.aws.shapes import ObjectPlace
from tasks.sources.records import Limits
from tests.aws.test_queue import EVENT, events_in, numbered

LINES = "".join(json.dumps(one) + "\n" for one in numbered(50)).encode()


def parquet():
    """The same events as a table."""
    out = io.BytesIO()
    pl.DataFrame(numbered(50)).write_parquet(out)
    return out.getvalue()


KINDS = {
    "in/a.ndjson": LINES,
    "in/a.jsonl.gz": gzip.compress(LINES),
    "in/A.NDJSON.ZST": zstandard.compress(LINES),
    "in/two frames.ndjson.zst": zstandard.compress(LINES[: LINES.index(b"\n") + 1])
    + zstandard.compress(LINES[LINES.index(b"\n") + 1 :]),
    "in/a.json": json.dumps(numbered(50)).encode(),
    "in/a.csv": b"id,source,type,tenant,text\n"
    + b"".join(f"{n},app,feedback.submitted,acme,hi\n".encode() for n in range(50)),
    "in/é a+b.parquet": parquet(),
}


@pytest.mark.parametrize("key", KINDS)
def test_every_kind_of_file_is_read(clients, bucket, key):
    """By the name of the object: format and packing."""
    clients.s3.put_object(Bucket=bucket, Key=key, Body=KINDS[key])
    assert is_records(key)
    records = list(read_object(clients.s3, ObjectPlace(bucket, key), Limits()))
    assert [record.problem for record in records] == [None] * 50


def test_an_object_that_a_notification_names_is_taken_in(clients, bucket, queue, consumer, left):
    """From S3's message in a queue, to events; told of twice, they are duplicates."""
    clients.s3.put_object(Bucket=bucket, Key="in/a b.ndjson.gz", Body=gzip.compress(LINES))
    about = {"bucket": {"name": bucket}, "object": {"key": "in/a+b.ndjson.gz"}}
    told = {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": about}]}
    address = queue()
    for _ in range(2):
        clients.sqs.send_message(QueueUrl=address, MessageBody=json.dumps(told))
    tally = consumer(address).run(threading.Event(), until_empty=True)
    assert (tally.counts.accepted, tally.counts.duplicates) == (50, 50)
    assert left(address) == (0, 0)


def test_a_claim_check_is_fetched(book, clients, bucket, queue, consumer):
    """A whole message, or the data of an event, which may be any text."""
    clients.s3.put_object(Bucket=bucket, Key="one", Body=json.dumps(EVENT | {"id": "whole"}).encode())
    clients.s3.put_object(Bucket=bucket, Key="two", Body=b"plain words")
    address = queue()
    event = {name: value for name, value in EVENT.items() if name != "data"} | {"id": "data"}
    for body in ({"claimCheck": f"s3://{bucket}/one"}, event | {"dataref": f"s3://{bucket}/two"}):
        clients.sqs.send_message(QueueUrl=address, MessageBody=json.dumps(body))
    consumer(address).run(threading.Event(), until_empty=True)
    assert events_in(book) == [("data", "acme"), ("whole", "acme")]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"claimCheck": "s3://{bucket}/gone"}, "cannot be had: .*NoSuchKey"),
        ({"claimCheck": "s3://{bucket}/large"}, "is larger than 262,144 bytes"),
        ({"claimCheck": "s3://{bucket}/nested"}, "refers to another object"),
        ({"Records": "{gone}"}, "is not there any more"),
        ({"Records": "{image}"}, "is no file of records"),
    ],
)
def test_a_reference_to_nothing_is_on_record(book, clients, bucket, queue, consumer, left, body, said):
    """It would be refused however often it is delivered, so it leaves the queue."""
    about = lambda key: {"bucket": {"name": bucket}, "object": {"key": key}}  # noqa: E731
    told = lambda key: [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": about(key)}]  # noqa: E731
    clients.s3.put_object(Bucket=bucket, Key="large", Body=b"x" * 262_145)
    clients.s3.put_object(Bucket=bucket, Key="nested", Body=b'{"claimCheck": "s3://a/b"}')
    text = json.dumps(body).replace("{bucket}", bucket)
    text = text.replace('"{gone}"', json.dumps(told("gone.ndjson"))).replace(
        '"{image}"', json.dumps(told("photo.png"))
    )
    address = queue()
    clients.sqs.send_message(QueueUrl=address, MessageBody=text)
    consumer(address).run(threading.Event(), until_empty=True)
    (refused,) = read_rejections(book, 10)
    assert re.search(said, refused.reason)
    assert left(address) == (0, 0)


@pytest.mark.parametrize(
    ("key", "body"),
    [
        ("in/a.ndjson.gz", b"no gzip at all"),
        ("in/a.ndjson.gz", gzip.compress(LINES)[:-20]),
        ("in/a.ndjson.zst", b"no zstd at all"),
        ("in/a.ndjson.zst", zstandard.compress(LINES)[:-20]),
        ("in/a.ndjson.zst", zstandard.compress(LINES) + zstandard.compress(LINES)[:30]),
    ],
)
def test_what_cannot_be_unpacked_says_so(clients, bucket, key, body):
    """What came out until then is read."""
    clients.s3.put_object(Bucket=bucket, Key=key, Body=body)
    *_, last = read_object(clients.s3, ObjectPlace(bucket, key), Limits())
    assert "cannot be unpacked from here on" in last.problem


def test_what_unpacks_without_end_is_cut_off(clients, bucket, monkeypatch):
    """A small object may be a very large file: no more is read than is allowed."""
    monkeypatch.setattr(objects, "MOST_BYTES", 1_000_000)
    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) < 100_000
    clients.s3.put_object(Bucket=bucket, Key="bomb.ndjson.gz", Body=bomb)
    (refused,) = read_object(clients.s3, ObjectPlace(bucket, "bomb.ndjson.gz"), Limits())
    assert "is larger than 1,000,000 bytes" in refused.problem


def test_a_version_is_read_as_it_was(clients, bucket):
    """The object as the notification named it, whatever has been put over it since."""
    clients.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = clients.s3.put_object(Bucket=bucket, Key="k", Body=b"before")["VersionId"]
    clients.s3.put_object(Bucket=bucket, Key="k", Body=b"after")
    assert fetch(clients.s3, ObjectPlace(bucket, "k", version), 100) == b"before"
    assert fetch(clients.s3, ObjectPlace(bucket, "k"), 100) == b"after"
    with pytest.raises(GoneError, match="larger than 3 bytes"):
        fetch(clients.s3, ObjectPlace(bucket, "k"), 3)


def pdf(*pages):
    """A PDF with these texts, a page each."""
    writer = PdfWriter()
    for text in pages:
        page = writer.add_blank_page(300, 300)
        font = DictionaryObject(
            {NameObject("/Type"): NameObject("/Font"), NameObject("/Subtype"): NameObject("/Type1")}
        )
        font[NameObject("/BaseFont")] = NameObject("/Helvetica")
        page[NameObject("/Resources")] = DictionaryObject(
            {NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})}
        )
        stream = StreamObject()
        stream.set_data(f"BT /F1 12 Tf 20 200 Td ({text}) Tj ET".encode())
        page[NameObject("/Contents")] = writer._add_object(stream)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


@pytest.fixture
def told(clients, bucket, queue, consumer):
    """Put an object, have S3 tell of it, and take that in."""

    def tell(key, body):
        clients.s3.put_object(Bucket=bucket, Key=key, Body=body)
        about = {"bucket": {"name": bucket}, "object": {"key": quote_plus(key, safe="/")}}
        message = {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": about}]}
        address = queue()
        clients.sqs.send_message(QueueUrl=address, MessageBody=json.dumps(message))
        return consumer(address).run(threading.Event(), until_empty=True).counts

    return tell


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("a.txt", "Zoë wrote this".encode()),
        ("notes.MD", b"\xef\xbb\xbfZoe wrote this"),
        ("b.pdf", pdf("one", "wrote this")),
    ],
)
def test_a_document_is_an_event_of_its_tenants(book, told, name, body):
    """For the documents pipeline; told of twice it is one, put anew another."""
    key = f"documents/ac%20me/in/{name}"
    assert told(key, body).accepted == 1
    assert told(key, body).duplicates == 1
    assert told(key, body + b"\n% more").accepted == 1
    with book.connect() as connection:
        rows = connection.exec_driver_sql("SELECT tenant, pipeline, kind, payload FROM events").all()
    assert {row[:3] for row in rows} == {("ac me", "documents", "document.received")}
    assert all("wrote this" in row.payload for row in rows)


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("a.txt", b"\xff\xfe", "is not UTF-8"),
        ("a.txt", b"  \n", "holds no text"),
        ("a.txt", b"x" * 262_145, "is larger than 262,144 bytes"),
        ("a.pdf", b"no PDF at all", "cannot be read as PDF"),
        ("a.pdf", pdf("one")[:300], "document"),
        ("a.pdf", pdf(""), "holds no text"),
    ],
)
def test_a_document_that_cannot_be_read_is_on_record(book, told, name, body, said):
    """With the reason, and where it is."""
    assert told(f"documents/acme/{name}", body).rejected == 1
    assert said in read_rejections(book, 1)[0].reason
