"""Fences: how untrusted text is shown to a model as data.

A fence is `<name>`, one line of JSON, `</name>`. Inside the JSON the characters `<`, `>` and `&` are written
as JSON escapes, so nothing that is shown can close its fence or open another.
"""

import json
from collections.abc import Mapping
from typing import Any

_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def fence(name: str, value: Any) -> str:  # noqa: ANN401 - any JSON value may be fenced
    """`value` as one fenced JSON section called `name`; TypeError when it is not JSON."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return f"<{name}>\n{text.translate(_ESCAPES)}\n</{name}>"


def fenced(sections: Mapping[str, Any]) -> str:
    """All sections in order, a blank line between: the user message of every request."""
    return "\n\n".join(fence(name, value) for name, value in sections.items())
