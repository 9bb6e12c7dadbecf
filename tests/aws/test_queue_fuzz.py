"""Five thousand bodies that nobody meant: each is on record, or nothing, and the queue is empty."""

import json
import threading

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sources.test_envelopes import json_values

letters = st.characters(
    codec="utf-8", exclude_characters="\x00", exclude_categories=["Cs", "Cc"]
) | st.sampled_from("\t\n\r")
bodies = json_values.map(json.dumps) | st.text(letters, min_size=1, max_size=60)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(bodies.filter(bool), min_size=50, max_size=50))
def test_whatever_lies_in_a_queue_leaves_it(clients, queue, consumer, left, texts):
    """Nothing stops it, and nothing comes back for ever."""
    address = queue()
    for start in range(0, len(texts), 10):
        entries = [{"Id": str(at), "MessageBody": text} for at, text in enumerate(texts[start : start + 10])]
        assert not clients.sqs.send_message_batch(QueueUrl=address, Entries=entries).get("Failed")
    # By one receiver: moto gives a message to two who ask in the same moment, as SQS may.
    tally = consumer(address, back_off_s=0, receivers=1).run(threading.Event(), until_empty=True)
    assert tally.messages == len(texts)
    assert tally.back == 0
    assert left(address) == (0, 0)
    clients.sqs.delete_queue(QueueUrl=address)
