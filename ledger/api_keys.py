"""Keys by which tenants speak to the gateway: made once, shown once, kept as a hash, revoked for good."""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from sqlalchemy import Row, delete, insert, select, update

from ledger.access_tables import api_keys, signatures
from ledger.engine import Ledger
from ledger.errors import LedgerError
from ledger.sql import insert_once, reading, writing

PREFIX: Final = "pst"
REMEMBERED: Final = timedelta(hours=1)
"""How long a signature is known again: far longer than one is accepted (five minutes)."""


class UnknownKeyError(LedgerError):
    """There is no such key, or it is revoked already."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret."""

    id: str
    tenant: str
    name: str
    signs: bool
    made_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Holder:
    """Who speaks by a key, and with what the sender signs, where one does."""

    key_id: str
    tenant: str
    signing_secret: str | None


def token_of(key_id: str, secret: str) -> str:
    """What a sender sends: `pst_<id>_<secret>`."""
    return f"{PREFIX}_{key_id}_{secret}"


def make_key(
    ledger: Ledger,
    *,
    key_id: str,
    secret: str,
    tenant: str,
    name: str,
    now: datetime,
    signing_secret: str | None = None,
) -> str:
    """Keep a new key of a tenant, as a hash; its token, which can be shown this once.

    `secret` is random and long, so that a plain hash of it can be guessed by nobody.
    """
    row = {"id": key_id, "tenant": tenant, "name": name, "made_at": now, "signing_secret": signing_secret}
    with writing(ledger) as connection:
        connection.execute(insert(api_keys).values(secret_hash=_hash(secret), **row))
    return token_of(key_id, secret)


def revoke_key(ledger: Ledger, key_id: str, now: datetime) -> ApiKey:
    """Let nobody in by it any more; UnknownKeyError where nobody was let in."""
    mine = (api_keys.c.id == key_id) & api_keys.c.revoked_at.is_(None)
    with writing(ledger) as connection:
        row = connection.execute(
            update(api_keys).where(mine).values(revoked_at=now).returning(api_keys)
        ).first()
    if row is None:
        raise UnknownKeyError(f"no key {key_id!r} is in use; `penstock keys list` shows them")
    return _key(row)


def list_keys(ledger: Ledger) -> tuple[ApiKey, ...]:
    """All keys there have been, by tenant and time."""
    query = select(api_keys).order_by(api_keys.c.tenant, api_keys.c.made_at)
    with reading(ledger) as connection:
        return tuple(map(_key, connection.execute(query)))


def holder_of(ledger: Ledger, token: str) -> Holder | None:
    """Who holds a token; None for one that opens nothing."""
    prefix, _, rest = token.partition("_")
    key_id, _, secret = rest.partition("_")
    if prefix != PREFIX or not secret:
        return None
    row = _in_use(ledger, key_id)
    # Compared in the same time whatever is wrong with it.
    if row is None or not hmac.compare_digest(row.secret_hash, _hash(secret)):
        return None
    return Holder(row.id, row.tenant, row.signing_secret)


def signer_of(ledger: Ledger, key_id: str) -> Holder | None:
    """Who signs with a key's secret; None where nobody does."""
    row = _in_use(ledger, key_id)
    return (
        None if row is None or row.signing_secret is None else Holder(row.id, row.tenant, row.signing_secret)
    )


def is_spent(ledger: Ledger, key_id: str, signature: str) -> bool:
    """Whether a signature has been accepted before."""
    mine = (signatures.c.key_id == key_id) & (signatures.c.signature_hash == _hash(signature))
    with reading(ledger) as connection:
        return connection.execute(select(signatures.c.at).where(mine)).first() is not None


def spend_signature(ledger: Ledger, key_id: str, signature: str, now: datetime) -> None:
    """Keep a signature that has been accepted, and forget the old ones."""
    row = {"key_id": key_id, "signature_hash": _hash(signature), "at": now}
    with writing(ledger) as connection:
        insert_once(connection, signatures, row)
        old = (signatures.c.key_id == key_id) & (signatures.c.at < now - REMEMBERED)
        connection.execute(delete(signatures).where(old))


def _in_use(ledger: Ledger, key_id: str) -> Row[tuple[object, ...]] | None:
    query = select(api_keys).where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
    with reading(ledger) as connection:
        return connection.execute(query).first()


def _hash(secret: str) -> bytes:
    return sha256(secret.encode()).digest()


def _key(row: Row[tuple[object, ...]]) -> ApiKey:
    has_secret = row.signing_secret is not None
    return ApiKey(row.id, row.tenant, row.name, has_secret, row.made_at, row.revoked_at)
