"""Answers that a model should not give: values that mean nothing, and words that slipped in. For the plays."""

from typing import Any

import orjson

NUMBER = 7.5


def nonsense_of(schema: dict[str, Any], root: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - any JSON
    """An instance of a JSON schema as the SDK sends it ($ref into $defs, anyOf, enum, objects, arrays)."""
    root = root if root is not None else schema
    if "$ref" in schema:
        return nonsense_of(root["$defs"][schema["$ref"].rsplit("/", 1)[1]], root)
    for choice in ("anyOf", "allOf"):
        if choice in schema:
            return nonsense_of(schema[choice][0], root)
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "object":
        return {name: nonsense_of(part, root) for name, part in schema.get("properties", {}).items()}
    if schema.get("type") == "array":
        return [nonsense_of(schema.get("items", {}), root)]
    plain = {"string": "", "number": NUMBER, "integer": -7, "boolean": False}
    return plain.get(schema.get("type", "null"))


def with_words(text: str, words: str) -> str:
    """An answer's JSON with `words` before its first text; plain text with them in front."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return f"{words} {text}"
    if isinstance(value, dict):
        first = next((name for name, member in value.items() if isinstance(member, str)), None)
        if first is not None:
            value[first] = f"{words} {value[first]}"
    return orjson.dumps(value).decode()
