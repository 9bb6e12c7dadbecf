"""Malformed input: garbage that was never meant to be read, and valid documents with something broken in them."""

import copy
import json
import math
from collections.abc import Iterator
from typing import Any

import hypothesis
from hypothesis import strategies as st

MANY = hypothesis.settings(
    max_examples=500,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
    phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate, hypothesis.Phase.shrink),
)
"""The same examples each time and everywhere: 500 of them, of `EACH` malformed inputs."""

EACH = 5

HOSTILE = (
    "",
    " ",
    "\x00",
    "\ufeff",
    "\u202e",
    "null",
    "true",
    "NaN",
    "-Infinity",
    "1e400",
    "-0",
    "9" * 400,
    "0.1e-400",
    '"',
    '"\\ud800"',
    '"\\u0000"',
    "[" * 3_000,
    '{"a":' * 600,
    "}",
    "]",
    ",",
    '{"id": "1", "id": "2"}',
    "<script>alert(1)</script>",
    "```json\n{}\n```",
    "x" * 70_000,
)
"""Texts that readers have tripped over."""

garbage_bytes = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(HOSTILE).map(str.encode),
    st.text(st.characters(), max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.text(max_size=20).map(lambda text: text.encode("utf-16")),
)

_leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**25), 10**25),
    st.sampled_from([10**400, 10**30, 2**63, -(2**63) - 1, math.inf, -math.inf, math.nan]),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(HOSTILE),
    st.sampled_from(["\ud800", "a\udfffb"]),
)

values = st.recursive(
    _leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=8,
)
"""Any value that Python's JSON writes, numbers and halves of surrogate pairs among them that JSON does not have."""


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every part of a document below its top."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield (*path, key)
        yield from paths_of(part, (*path, key))


@st.composite
def altered(draw, document):
    """A valid document in which one to three parts are replaced, missing, doubled or called otherwise."""
    changed = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        paths = list(paths_of(changed))
        if not paths:
            break
        *way, last = draw(st.sampled_from(paths))
        parent = changed
        for step in way:
            parent = parent[step]
        match draw(st.sampled_from(["replace"] * 3 + ["remove", "add", "double"])):
            case "replace":
                parent[last] = draw(values)
            case "remove":
                del parent[last]
            case "add" if isinstance(parent, dict):
                parent[draw(st.text(max_size=8))] = draw(values)
            case _ if isinstance(parent, list):
                parent.append(parent[last])
    return changed


@st.composite
def cut_up(draw, text):
    """The text of a valid document with one to three pieces of it replaced by something else."""
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        end = at + draw(st.sampled_from([0, 0, 1, 3, 20, len(text)]))
        text = text[:at] + draw(st.sampled_from(HOSTILE) | st.text(max_size=5)) + text[end:]
    return text


def near(document):
    """Texts near that of a valid document, and now and then the document itself."""
    text = json.dumps(document)
    return st.one_of(altered(document).map(json.dumps), cut_up(text), st.just(text))
