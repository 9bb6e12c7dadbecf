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
from ledger.api_keys import PREFIX, Holder, holder_of, is_new_signature, signer_of
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
        """Who sent a request, by its key, or by the key whose secret it is signed with.

        Raises:
            RefusedError: there is no key, or it is nobody's.
        """
        token = _token(request.headers)
        if token is not None:
            found = await self._holder_of(token)
        else:
            key_id = request.query_params.get("key")
            found = await asyncio.to_thread(signer_of, self._ledger, key_id) if key_id else None
        if found is None:
            raise RefusedError(
                401,
                "Not let in",
                "send an API key as `Authorization: Bearer pst_...`, or sign the body and name the key's id in `?key=`",
                {"www-authenticate": "Bearer"},
            )
        if token is None and "webhook-signature" not in request.headers:
            raise RefusedError(
                401, "Not signed", "a key's id alone opens nothing: sign the body with its secret"
            )
        return found

    async def listener(self, headers: Mapping[str, str], subprotocols: Sequence[str]) -> Holder | None:
        """Who opens a WebSocket, by a header or, from a browser, by the subprotocol that is a key."""
        token = _token(headers) or next((one for one in subprotocols if one.startswith(PREFIX)), None)
        return None if token is None else await self._holder_of(token)

    async def check_signature(self, holder: Holder, request: Request, body: bytes) -> None:
        """Nothing, where the key asks for no signature or the body is signed as Standard Webhooks has it, once.

        Raises:
            RefusedError: the signature is missing, wrong, too old or from the future, or has been here before.
        """
        if holder.signing_secret is None:
            return
        headers = {name: value for name, value in request.headers.items() if name.startswith("webhook-")}
        try:
            Webhook(holder.signing_secret).verify(body, headers, json_parse=False)
        except (WebhookVerificationError, ValueError) as error:
            raise RefusedError(
                401, "Wrong signature", f"{error}; sign as standardwebhooks.com describes"
            ) from error
        signature = f"{headers['webhook-id']} {headers['webhook-timestamp']}"
        if not await asyncio.to_thread(is_new_signature, self._ledger, holder.key_id, signature, self._now()):
            raise RefusedError(
                409, "Sent before", "this very signature has been accepted before; sign again to send again"
            )

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
