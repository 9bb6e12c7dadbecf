"""AWS on loopback: moto's server in a process of its own, spoken to by boto3 over HTTP."""

import asyncio
import subprocess
import sys
import uuid

import boto3
import httpx
import pytest

from ledger.engine import close_ledger, open_ledger
from tasks.sources.aws.clients import RETRIES, AwsClients
from tasks.sources.aws.queue import QueueConsumer
from tasks.sources.aws.queue_reader import QueueOptions
from tasks.sources.mapper import Mapper
from tasks.sources.mapping import load_mapping
from tests.commands import free_port
from tests.worlds import until

REGION = "eu-west-1"
ACCOUNT = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": REGION}


@pytest.fixture(scope="session")
def aws_address():
    """The address of moto's server."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        asyncio.run(until(lambda: answers(f"{address}/moto-api/")))
        yield address
    finally:
        server.terminate()
        server.wait()


def answers(address):
    """Whether something is there."""
    try:
        return httpx.get(address).status_code < 500
    except httpx.TransportError:
        return False


@pytest.fixture(scope="session")
def clients(aws_address):
    """Clients of it."""
    made = {
        name: boto3.client(name, endpoint_url=aws_address, config=RETRIES, **ACCOUNT)
        for name in ("sqs", "s3", "sns")
    }
    return AwsClients(**made)


@pytest.fixture
def queue(clients):
    """Makes queues of their own; the address of each."""

    def make(**attributes):
        fifo = ".fifo" if attributes.get("FifoQueue") else ""
        return clients.sqs.create_queue(QueueName=f"q-{uuid.uuid4().hex}{fifo}", Attributes=attributes)[
            "QueueUrl"
        ]

    return make


@pytest.fixture
def bucket(clients):
    """A bucket of its own; its name."""
    name = f"b-{uuid.uuid4().hex}"
    clients.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return name


@pytest.fixture(scope="session")
def mapper():
    """The shipped mapping at work."""
    return Mapper(load_mapping())


@pytest.fixture
def book(sqlite_url):
    """A fresh ledger; what is locked in it is waited for no longer than a moment."""
    opened = open_ledger(f"{sqlite_url}?timeout=0.2")
    yield opened
    close_ledger(opened)


@pytest.fixture
def consumer(clients, book, mapper, clock):
    """Makes a consumer of a queue; it looks once and does not wait."""

    def make(address, *, using=clients, **options):
        given = {"wait_s": 0, "receivers": 2} | options
        return QueueConsumer(using, address, book, mapper, now=clock, options=QueueOptions(**given))

    return make


@pytest.fixture
def left(clients):
    """How many messages a queue still has, seen and unseen."""

    def count(address):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        told = clients.sqs.get_queue_attributes(QueueUrl=address, AttributeNames=names)["Attributes"]
        return tuple(int(told[name]) for name in names)

    return count
