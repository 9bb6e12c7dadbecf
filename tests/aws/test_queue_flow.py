"""Queues by a flow run, and by the command: with AWS as a block of prefect-aws says, or the environment."""

import asyncio
import json

import pytest
from prefect_aws.client_parameters import AwsClientParameters
from prefect_aws.credentials import AwsCredentials

from contracts.batches import BatchState
from flows import aws
from flows.aws import AwsBlockError, aws_clients, bucket_of
from flows.queues import take_in_queues
from ledger.batches import list_batches
from tests.aws.conftest import ACCOUNT, REGION
from tests.aws.test_queue import numbered


def test_a_run_takes_in_queues_and_forms_batches_of_it(world, clients, queue, aws_address, monkeypatch):
    """What came of each queue is what the run returns; ten urgent events are a batch."""
    for name, value in environment(aws_address).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(aws, "_made", {})
    address = queue()
    for event in numbered(10, priority="HIGH"):
        clients.sqs.send_message(QueueUrl=address, MessageBody=json.dumps(event))
    found = world.run(lambda: take_in_queues([address]))
    assert found == {
        address: {"messages": 10, "given_back": 0, "read": 10, "accepted": 10, "duplicates": 0, "rejected": 0}
    }
    assert BatchState.READY in {batch.state for batch in list_batches(world.ledger, 10)}


def environment(aws_address):
    """AWS as every tool on the machine finds it."""
    return {
        "AWS_ENDPOINT_URL": aws_address,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ACCOUNT["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": ACCOUNT["aws_secret_access_key"],
    }


def test_the_command_takes_in_until_the_queue_is_empty(bare, clients, queue, aws_address):
    """And says what came of it; no model and no Prefect server are needed."""
    address = queue()
    for event in numbered(3):
        clients.sqs.send_message(QueueUrl=address, MessageBody=json.dumps(event))
    cli = bare.given(**environment(aws_address))
    assert cli.json("consume", address, "--until-empty")[address]["accepted"] == 3
    assert "Taken in" in cli("consume", address, "--until-empty", code=0).stdout


@pytest.mark.usefixtures("prefect_url")
def test_a_block_says_how_aws_is_reached(run_async, aws_address, bucket, monkeypatch):
    """Region, endpoint and keys of the block: none of them stands in Penstock's settings."""
    monkeypatch.setattr(aws, "_made", {})

    async def used():
        block = AwsCredentials(**ACCOUNT, aws_client_parameters=AwsClientParameters(endpoint_url=aws_address))
        await block.save("tests-of-doors", overwrite=True)
        made = await aws_clients("tests-of-doors")
        target = await bucket_of(f"s3://{bucket}/out", "tests-of-doors")
        await target.awrite_path("a.txt", b"words")
        return await asyncio.to_thread(made.s3.list_objects_v2, Bucket=bucket)

    assert [one["Key"] for one in run_async(used())["Contents"]] == ["out/a.txt"]
    with pytest.raises(AwsBlockError, match="make it in the UI under Blocks"):
        run_async(aws_clients("not-there"))
