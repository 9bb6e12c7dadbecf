"""Events of Prefect as records: what happened there, a run that failed, may be worked on, too."""

from collections.abc import Mapping
from typing import Any

import orjson

from tasks.sources.aws.envelopes import filled
from tasks.sources.records import RawRecord

_OF_PREFECT = frozenset({"event", "occurred", "resource"})


def as_record(event: Mapping[str, Any], known: Mapping[str, str]) -> RawRecord:
    """A record of an event that was handed over; `known` is what it need not say itself.

    One of Prefect's keeps all it has, for routes to look at, and says by the names that the mapping knows what it is
    (`prefect.flow-run.Failed`), when, and of what; its payload and its resource's labels are its data.
    """
    said = dict(event)
    if said.keys() >= _OF_PREFECT and isinstance(said["resource"], Mapping):
        labels = {str(name): value for name, value in said["resource"].items()}
        payload = said.get("payload")
        said |= {
            "type": said["event"],
            "source": labels.get("prefect.resource.id", "prefect"),
            "time": said["occurred"],
            "data": {"labels": labels, **(payload if isinstance(payload, Mapping) else {})},
        }
        if "type" in known:
            said["type"] = known["type"]
    return filled(RawRecord(1, orjson.dumps(event, default=str), said, None), known)
