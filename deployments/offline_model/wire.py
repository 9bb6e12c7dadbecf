"""The Messages API's wire format: what is read from a request, and the bodies that answer it. Pure.

Tokens are characters // 4: of the system prompt and messages for input, of the text for output.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import orjson

from deployments.offline_model.answers import WRITERS

MODEL: Final = "offline-extractive"
MODEL_PREFIX: Final = "offline-"
CHARACTERS_PER_TOKEN: Final = 4
BODY_LIMIT: Final = 32 * 1024 * 1024

ERROR_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class ApiError(Exception):
    """What the API refuses: an HTTP `status` and a `message` for the caller."""

    def __init__(self, status: int, message: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers

    def body(self, request_id: str) -> bytes:
        """The error's JSON body."""
        kind = ERROR_TYPES.get(self.status, "api_error" if self.status >= 500 else "invalid_request_error")  # noqa: PLR2004
        error = {"type": kind, "message": self.message}
        return orjson.dumps({"type": "error", "error": error, "request_id": request_id})


@dataclass(frozen=True, slots=True)
class MessageRequest:
    """What matters of a request: `user_text` is the last user message, `said` system and messages together.

    `schema` is the output schema, `title` its name; both None where plain text is asked for. `max_tokens` is
    0 where only tokens are counted.
    """

    model: str
    max_tokens: int
    user_text: str
    said: str
    schema: dict[str, Any] | None
    title: str | None
    digest: str

    @property
    def input_tokens(self) -> int:
        """Characters of system and messages // 4."""
        return len(self.said) // CHARACTERS_PER_TOKEN


def _refuse(message: str) -> ApiError:
    return ApiError(400, message)


def read_request(body: bytes, *, is_count: bool = False) -> MessageRequest:
    """The request in a body.

    Raises:
        ApiError: 400 with what is missing or wrong, as the API words it.
    """
    fields = _object(body)
    model = _field(fields, "model")
    if not isinstance(model, str) or not model:
        raise _refuse("model: Input should be a non-empty string")
    max_tokens = 0 if is_count else _max_tokens(fields)
    if fields.get("stream"):
        raise _refuse("stream: the offline model answers in one piece; send stream false")
    messages = _messages(fields)
    schema = _schema(fields)
    texts = [_text(message["content"], f"messages.{index}.content") for index, message in enumerate(messages)]
    asked = [text for message, text in zip(messages, texts, strict=True) if message["role"] == "user"]
    return MessageRequest(
        model=model,
        max_tokens=max_tokens,
        user_text=asked[-1] if asked else "",
        said="\n".join([_text(fields.get("system") or "", "system"), *texts]),
        schema=schema,
        title=_title(schema),
        digest=sha256(body).hexdigest()[:24],
    )


def _object(body: bytes) -> dict[str, Any]:
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _refuse(f"The request body is not valid JSON: {error}") from error
    if not isinstance(fields, dict):
        raise _refuse("The request body is not a JSON object")
    return fields


def _field(fields: dict[str, Any], name: str) -> object:
    if name not in fields:
        raise _refuse(f"{name}: Field required")
    return fields[name]


def _max_tokens(fields: dict[str, Any]) -> int:
    value = _field(fields, "max_tokens")
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise _refuse("max_tokens: Input should be an integer greater than or equal to 1")
    return value


def _messages(fields: dict[str, Any]) -> list[dict[str, Any]]:
    messages = _field(fields, "messages")
    if not isinstance(messages, list):
        raise _refuse("messages: Input should be a valid list")
    if not messages:
        raise _refuse("messages: at least one message is required")
    for index, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in {"user", "assistant"}:
            raise _refuse(f"messages.{index}.role: Input should be 'user' or 'assistant'")
        if "content" not in message:
            raise _refuse(f"messages.{index}.content: Field required")
    return messages


def _text(content: object, where: str) -> str:
    """The text of a string or of a list of text blocks."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise _refuse(f"{where}: Input should be a string or a list of content blocks")
    for index, block in enumerate(content):
        if not isinstance(block, dict) or not isinstance(block.get("text"), str):
            raise _refuse(f"{where}.{index}: the offline model reads text blocks only")
    return "\n".join(block["text"] for block in content)


def _schema(fields: dict[str, Any]) -> dict[str, Any] | None:
    config = fields.get("output_config") or {}
    form = config.get("format") if isinstance(config, dict) else None
    if form is None:
        return None
    schema = form.get("schema") if isinstance(form, dict) and form.get("type") == "json_schema" else None
    if not isinstance(schema, dict):
        raise _refuse("output_config.format: Input should be of type json_schema with a schema")
    return schema


def _title(schema: dict[str, Any] | None) -> str | None:
    if schema is None:
        return None
    title = schema.get("title")
    if title not in WRITERS:
        raise _refuse(f"output_config.format.schema: {MODEL} writes {', '.join(WRITERS)}, not {title}")
    return str(title)


def message_body(request: MessageRequest, text: str, stop_reason: str) -> bytes:
    """A message with the text, cut to `max_tokens` where it is longer (stop_reason max_tokens)."""
    room = request.max_tokens * CHARACTERS_PER_TOKEN
    if len(text) > room:
        text, stop_reason = text[:room], "max_tokens"
    refused = {"type": "refusal", "category": None, "explanation": "A rehearsed refusal."}
    return orjson.dumps(
        {
            "id": f"msg_offline_{request.digest}",
            "type": "message",
            "role": "assistant",
            "model": MODEL,
            "content": [{"type": "text", "text": text}] if text else [],
            "stop_reason": stop_reason,
            "stop_sequence": None,
            "stop_details": refused if stop_reason == "refusal" else None,
            "usage": {
                "input_tokens": request.input_tokens,
                "output_tokens": len(text) // CHARACTERS_PER_TOKEN,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "service_tier": "standard",
            },
        }
    )


MODEL_CARD: Final = {
    "type": "model",
    "id": MODEL,
    "display_name": "Offline extractive model (not a language model)",
    "created_at": "2025-01-01T00:00:00Z",
    "lifecycle": "active",
}


def models_body() -> bytes:
    """The one page of the list of models."""
    return orjson.dumps({"data": [MODEL_CARD], "has_more": False, "first_id": MODEL, "last_id": MODEL})
