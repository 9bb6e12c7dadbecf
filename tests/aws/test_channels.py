"""AWS as a way out: topics with attributes for filters, queues that are fair, objects by prefect-aws."""

import json

import pytest

from flows import aws
from flows.channels import CHANNELS
from ledger.dead_letters import list_letters
from tasks.channels.kinds import TargetError, kind_of
from tasks.publisher import FIRST_WAIT
from tests.aws.conftest import ACCOUNT, REGION
from tests.channels.conftest import sending

__all__ = ["sending"]


@pytest.fixture(autouse=True)
def _by_environment(aws_address, monkeypatch):
    """AWS as every tool on the machine finds it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_address)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCOUNT["aws_access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", ACCOUNT["aws_secret_access_key"])
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setattr(aws, "_made", {})


def messages_in(clients, address):
    """What a queue holds, with what is said beside it."""
    names = {"MessageAttributeNames": ["All"], "MessageSystemAttributeNames": ["All"]}
    return clients.sqs.receive_message(QueueUrl=address, MaxNumberOfMessages=10, **names).get("Messages", [])


def subscribed(clients, queue, topic, **policy):
    """A queue that gets what a topic is sent, as its filter policy says."""
    address = queue()
    arn = clients.sqs.get_queue_attributes(QueueUrl=address, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    attributes = {"RawMessageDelivery": "true"} | ({"FilterPolicy": json.dumps(policy)} if policy else {})
    clients.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)
    return address


def test_a_topic_fans_out_by_attributes(clients, queue, sending):
    """Consumers choose by filter policy, and attach without the pipeline knowing."""
    topic = clients.sns.create_topic(Name="deliverables")["TopicArn"]
    everything = subscribed(clients, queue, topic)
    theirs = subscribed(clients, queue, topic, tenant=["acme"], score=[{"numeric": [">=", 0.7]}])
    others = subscribed(clients, queue, topic, tenant=["beta"])
    sending.subscribe("sns", topic)
    made = sending.commit(1, 2)
    assert sending.publish(CHANNELS) == 2
    bodies = [json.loads(one["Body"]) for one in messages_in(clients, everything)]
    assert {one["id"] for one in bodies} == {one.id for one in made}
    assert len(messages_in(clients, theirs)) == 2
    assert messages_in(clients, others) == []


def test_what_a_fifo_queue_is_sent_has_its_tenant_as_its_group(clients, queue, sending):
    """And the message's own key by which a repeat is dropped."""
    address = queue(FifoQueue="true")
    sending.subscribe("sqs", address)
    (made,) = sending.commit(1)
    assert sending.publish(CHANNELS) == 1
    (message,) = messages_in(clients, address)
    assert message["Attributes"]["MessageGroupId"] == "acme"
    assert message["Attributes"]["MessageDeduplicationId"] == f"{made.id}:sqs:s1"
    assert message["MessageAttributes"]["kind"]["StringValue"] == made.kind.value


def test_a_usual_queue_is_fair_by_tenant(clients, queue, sending):
    """Its group is the tenant, too."""
    address = queue()
    sending.subscribe("sqs", address)
    sending.commit(1)
    assert sending.publish(CHANNELS) == 1
    (message,) = messages_in(clients, address)
    assert message["Attributes"].get("MessageGroupId", "acme") == "acme"


def test_deliverables_are_put_into_a_bucket(clients, bucket, sending):
    """As their readers get them, and as JSON."""
    sending.subscribe("s3", f"s3://{bucket}/out")
    (made,) = sending.commit(1)
    assert sending.publish(CHANNELS) == 1
    keys = {one["Key"] for one in clients.s3.list_objects_v2(Bucket=bucket)["Contents"]}
    name = f"out/acme/{made.batch}/{made.kind}-{made.form}-{made.id}"
    assert keys == {f"{name}.md", f"{name}.json"}
    assert clients.s3.get_object(Bucket=bucket, Key=f"{name}.md")["Body"].read().decode() == made.markdown


@pytest.mark.parametrize("target", ["s3://not-there-at-all/x", "arn:aws:sns:eu-west-1:123456789012:gone"])
def test_what_aws_does_not_take_is_tried_again(sending, clock, target):
    """It is the outbox's to try, and not the client's; nothing is lost meanwhile."""
    sending.subscribe(kind_of(target, ()), target)
    sending.commit(1)
    assert sending.publish(CHANNELS) == 0
    assert list_letters(sending.book) == ()
    clock.advance(seconds=FIRST_WAIT.total_seconds())
    assert sending.publish(CHANNELS) == 0


def test_a_deliverable_that_is_too_large_for_a_message_says_where_it_is(clients, queue, sending):
    """The rest of it is fetched from the gateway."""
    address = queue()
    sending.subscribe("sqs", address)
    (made,) = sending.commit(1, text="word " * 60_000)
    assert sending.publish(CHANNELS) == 1
    (message,) = messages_in(clients, address)
    assert json.loads(message["Body"])["content"] == {"too_large": f"/v1/deliverables/{made.id}"}


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("arn:aws:sns:eu-west-1:123456789012:out.fifo", "sns"),
        ("https://sqs.eu-west-1.amazonaws.com/123456789012/out", "sqs"),
        ("s3://bucket/prefix", "s3"),
        ("block:results", "s3"),
        ("https://example.com/hook", "webhook"),
    ],
)
def test_a_target_says_itself_what_it_is(target, kind):
    """So that operators need not."""
    assert kind_of(target, ()) == kind


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("mailto:ann@example.com", "is no target"),
        ("https://10.0.0.1/", "no public address"),
        ("http://a.b", "https://"),
    ],
)
def test_what_is_no_target_is_refused(target, said):
    """Before it is kept."""
    with pytest.raises(TargetError, match=said):
        kind_of(target, ())
