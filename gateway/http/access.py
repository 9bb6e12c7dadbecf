"""Who speaks: the holder of an API key, who has to have signed the body where the key asks for it."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final

from fastapi import Request
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from gateway.http.problems import RefusedError
from ledger.api_keys import PREFIX, Holder, holder_of, is_spent, signer_of, spend_signature
from ledger.engine import Ledger

KNOWN_S: Final = 5.0
"""How long a key is believed without asking again: so soon a revoked one is out."""
MOST_KNOWN: Final = 10_000


class Access:
    """Knows the holders of tokens, for a moment."""

    def __init__(
        self, ledger: Ledger, now: Callable[[], datetime], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ledger, self._now, self._clock = ledger, now, clock
        self._known: dict[bytes, tuple[Holder | None, float]] = {}

    async def holder(self, request: Request) -> Holder:
        """Who sent a request, by its key. Raises RefusedError where it has none, or nobody's."""
        token = _token(request.headers)
        found = None if token is None else await self._holder_of(token)
        if found is None:
            raise _not_let_in()
        return found

    async def sender(self, request: Request) -> Holder:
        """Who sends a body: by its key, or by the key whose secret signs it, which is yet to be checked.

        Raises:
            RefusedError: there is no key, or it is nobody's.
        """
        key_id = request.query_params.get("key")
        if _token(request.headers) is not None or key_id is None:
            return await self.holder(request)
        found = await asyncio.to_thread(signer_of, self._ledger, key_id)
        if found is None or found.signing_secret is None:
            raise _not_let_in()
        return found

    async def listener(self, headers: Mapping[str, str], subprotocols: Sequence[str]) -> Holder | None:
        """Who opens a WebSocket, by a header or, from a browser, by the subprotocol that is a key."""
        token = _token(headers) or next((one for one in subprotocols if one.startswith(PREFIX)), None)
        return None if token is None else await self._holder_of(token)

    async def check_signature(self, holder: Holder, request: Request, body: bytes) -> str | None:
        """The mark of a signature, for `spent`; None where the key asks for none.

        Raises:
            RefusedError: the signature is missing, wrong, too old or from the future, or has been accepted before.
        """
        if holder.signing_secret is None:
            return None
        headers = {name: value for name, value in request.headers.items() if name.startswith("webhook-")}
        try:
            # The library takes `1700000000.5` for the same second: one signature would be many.
            if not headers.get("webhook-timestamp", "").isdecimal():
                raise WebhookVerificationError("Invalid or missing timestamp")  # noqa: TRY301 - refused with the rest
            Webhook(holder.signing_secret).verify(body, headers, json_parse=False)
        except (WebhookVerificationError, ValueError) as error:
            raise RefusedError(
                401, "Wrong signature", f"{error}; sign as standardwebhooks.com describes"
            ) from error
        mark = f"{headers['webhook-id']} {int(headers['webhook-timestamp'])}"
        if await asyncio.to_thread(is_spent, self._ledger, holder.key_id, mark):
            raise RefusedError(
                409, "Sent before", "this very signature has been accepted before; sign again to send again"
            )
        return mark

    async def spent(self, holder: Holder, mark: str | None) -> None:
        """A signed body has been taken in: its signature is no good again. One that was refused may come again."""
        if mark is not None:
            await asyncio.to_thread(spend_signature, self._ledger, holder.key_id, mark, self._now())

    async def _holder_of(self, token: str) -> Holder | None:
        mark, now = sha256(token.encode(errors="surrogatepass")).digest(), self._clock()
        found, until = self._known.get(mark, (None, 0.0))
        if until <= now:
            found = await asyncio.to_thread(holder_of, self._ledger, token)
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[mark] = (found, now + KNOWN_S)
        return found


def _token(headers: Mapping[str, str]) -> str | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return headers.get("x-api-key")


def _not_let_in() -> RefusedError:
    return RefusedError(
        401,
        "Not let in",
        "send an API key as `Authorization: Bearer pst_...`; events may be signed instead, with `?key=ID`",
        {"www-authenticate": "Bearer"},
    )
