"""The ASGI application: routes, authentication, plays on the wire, statistics. One instance a server.

Raw ASGI, because a benchmark keeps 32 requests in flight and the server's processor time is part of what it
measures.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import ValidationError

from deployments.offline_model import wire
from deployments.offline_model.answers import answer
from deployments.offline_model.nonsense import nonsense_of, with_words
from deployments.offline_model.plays import (
    Disconnect,
    Error,
    Hang,
    Latency,
    Malformed,
    Nonsense,
    Overloaded,
    Play,
    RateLimit,
    Refusal,
    Rule,
    Script,
    Slip,
    Truncate,
)
from deployments.offline_model.stats import RecordedRequest, Stats
from deployments.offline_model.wire import ApiError, MessageRequest

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = tuple[tuple[bytes, bytes], ...]

MALFORMED = "Here is what I found: the events speak of several things, and"
DISTURBANCES = {
    RateLimit: (429, "This request would exceed the rate limit of your organization."),
    Overloaded: (529, "Overloaded"),
}


class ConnectionDroppedError(Exception):
    """The client went away: nothing is sent."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a server answers: `key` None accepts any, `latency` in seconds is added to every message."""

    key: str | None = None
    latency: float = 0.0
    any_model: bool = False
    record: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """A response before it is sent; `is_cut` sends half of the body and closes."""

    status: int
    body: bytes
    headers: Headers = ()
    is_cut: bool = False


class OfflineModel:
    """The Messages API by extraction, as an ASGI application."""

    def __init__(self, script: Script, options: Options) -> None:
        self.script = script
        self.options = options
        self.stats = Stats()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; every response carries its `request-id`."""
        request_id = self.stats.next_id()
        try:
            reply = await self._reply(scope, receive)
        except ApiError as error:
            reply = Reply(error.status, error.body(request_id), error.headers)
        except ConnectionDroppedError:
            return
        await _send(reply, request_id, send)

    async def _reply(self, scope: Scope, receive: Receive) -> Reply:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        method, path = scope["method"], scope["path"].rstrip("/")
        if path.startswith("/offline/"):
            return await self._offline(method, path, receive)
        self._authenticate(headers)
        body = await _body(receive)
        if self.options.record:
            self.stats.requests.append(RecordedRequest(method, path, headers, body))
        if (method, path) == ("POST", "/v1/messages"):
            request = self._known(wire.read_request(body))
            with self.stats.flight(request.title):
                return await self._message(request, receive)
        if (method, path) == ("POST", "/v1/messages/count_tokens"):
            return _counted(self._known(wire.read_request(body, is_count=True)))
        return _models(method, path)

    def _authenticate(self, headers: dict[str, str]) -> None:
        """The SDK sends its key as a bearer token, other callers in `x-api-key`; either will do."""
        bearer = headers.get("authorization", "").removeprefix("Bearer ").strip()
        key = headers.get("x-api-key") or bearer
        if not key:
            raise ApiError(401, "a key is required, as Authorization: Bearer KEY or as x-api-key")
        if self.options.key not in (None, key):
            raise ApiError(401, "invalid API key")
        if "anthropic-version" not in headers:
            raise ApiError(400, "anthropic-version: header is required")

    def _known(self, request: MessageRequest) -> MessageRequest:
        if not self.options.any_model and not request.model.startswith(wire.MODEL_PREFIX):
            raise ApiError(404, f"model: {request.model}")
        return request

    async def _message(self, request: MessageRequest, receive: Receive) -> Reply:
        play = self.script.next_play(request.title, request.said)
        if play is not None:
            self.stats.played[play.kind] += 1
        pause = play.seconds if isinstance(play, Latency | Hang) else 0.0
        await _pause(self.options.latency + pause, receive)
        _disturb(play)
        text, stop_reason = _said(request, play)
        body = wire.message_body(request, text, stop_reason)
        self.stats.spend(request.input_tokens, len(text) // wire.CHARACTERS_PER_TOKEN)
        return Reply(200, body, is_cut=isinstance(play, Disconnect | Hang))

    async def _offline(self, method: str, path: str, receive: Receive) -> Reply:
        """Our own routes, without a key: they tell nothing that was sent."""
        if (method, path) == ("GET", "/offline/stats"):
            return Reply(200, orjson.dumps(self.stats.summary()))
        if (method, path) == ("POST", "/offline/plays"):
            rules = _rules(await _body(receive))
            self.script.replace(rules)
            return Reply(200, orjson.dumps({"rules": len(rules)}))
        raise ApiError(
            404, f"{method} {path} is not served; known are GET /offline/stats, POST /offline/plays"
        )


def _models(method: str, path: str) -> Reply:
    if (method, path) == ("GET", "/v1/models"):
        return Reply(200, wire.models_body())
    if (method, path) == ("GET", f"/v1/models/{wire.MODEL}"):
        return Reply(200, orjson.dumps(wire.MODEL_CARD))
    if path.startswith("/v1/models/"):
        raise ApiError(404, f"model: {path.removeprefix('/v1/models/')}")
    raise ApiError(404, f"{method} {path} is not served by the offline model")


def _counted(request: MessageRequest) -> Reply:
    return Reply(200, orjson.dumps({"input_tokens": request.input_tokens}))


def _rules(body: bytes) -> list[Rule]:
    try:
        return [Rule.model_validate(rule) for rule in orjson.loads(body)]
    except (orjson.JSONDecodeError, ValidationError, TypeError) as error:
        raise ApiError(400, f"plays: {error}") from error


def _disturb(play: Play | None) -> None:
    """Raise what a play sends instead of an answer."""
    if isinstance(play, RateLimit | Overloaded):
        status, message = DISTURBANCES[type(play)]
        after = play.retry_after if isinstance(play, RateLimit) else None
        headers = () if after is None else ((b"retry-after", f"{after:g}".encode()),)
        raise ApiError(status, message, headers)
    if isinstance(play, Error):
        raise ApiError(play.status, f"A rehearsed error {play.status}.")


def _said(request: MessageRequest, play: Play | None) -> tuple[str, str]:
    """The text and the stop reason, as the play changes them."""
    if isinstance(play, Refusal):
        return "", "refusal"
    if isinstance(play, Malformed):
        return MALFORMED, "end_turn"
    if isinstance(play, Nonsense) and request.schema is not None:
        return orjson.dumps(nonsense_of(request.schema)).decode(), "end_turn"
    text = answer(request.title, request.user_text)
    if isinstance(play, Slip):
        return with_words(text, play.words), "end_turn"
    return (text[: len(text) // 2], "max_tokens") if isinstance(play, Truncate) else (text, "end_turn")


async def _body(receive: Receive) -> bytes:
    """The whole body; one that is too large is read to its end and dropped, so that its sender hears why."""
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionDroppedError
        part, more = message.get("body", b""), message.get("more_body", False)
        size += len(part)
        if size <= wire.BODY_LIMIT:
            parts.append(part)
    if size > wire.BODY_LIMIT:
        raise ApiError(413, "Request exceeds the maximum size")
    return b"".join(parts)


async def _pause(seconds: float, receive: Receive) -> None:
    """Wait, but no longer than the client does: after the body, all there is to receive is its going away."""
    if seconds <= 0:
        return
    try:
        async with asyncio.timeout(seconds):
            await receive()
    except TimeoutError:
        return
    raise ConnectionDroppedError


async def _send(reply: Reply, request_id: str, send: Send) -> None:
    """Send a reply; a cut one ends in the middle, and the server closes the connection."""
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(reply.body)).encode()),
        (b"request-id", request_id.encode()),
        *reply.headers,
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    body = reply.body[: len(reply.body) // 2] if reply.is_cut else reply.body
    await send({"type": "http.response.body", "body": body, "more_body": reply.is_cut})
