"""Addresses that may be called: nothing inside the operator's own network, whatever a name leads to.

A name is resolved once and the connection goes to what was checked, so that it cannot lead elsewhere in between (DNS
rebinding). https://cheatsheetseries.owasp.org/cheatsheets/Server_Side_Request_Forgery_Prevention_Cheat_Sheet.html
"""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from tasks.channels import RefusedTargetError, UndeliveredError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect, and how the receiver is called there."""

    url: str
    host: str
    name: str


def check_url(url: str, allowed: Sequence[Network]) -> SplitResult:
    """The parts of an address that may be called by its form: HTTPS, or HTTP where some network is allowed.

    Raises:
        RefusedTargetError: it is no such address, or names an address of a network that is not allowed.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise RefusedTargetError(f"{url!r} is no address: {error}") from error
    if parts.scheme not in ({"https", "http"} if allowed else {"https"}) or not parts.hostname or port == 0:
        raise RefusedTargetError(f"{url!r} is not called: give an https:// address")
    if parts.username is not None or parts.password is not None:
        raise RefusedTargetError("an address with a password in it is not called: what is sent is signed")
    if (literal := _literal(parts.hostname)) is not None:
        _check(literal, allowed)
    _ascii(parts.hostname)
    return parts


async def resolved(url: str, allowed: Sequence[Network]) -> Target:
    """Where to connect for an address.

    Raises:
        RefusedTargetError: as `check_url`, or it leads into a network that is not allowed.
        UndeliveredError: its name leads nowhere now.
    """
    parts = check_url(url, allowed)
    host = _ascii(str(parts.hostname))
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UndeliveredError(f"{host} leads nowhere: {error}") from error
    addresses = [ipaddress.ip_address(str(info[4][0]).partition("%")[0]) for info in found]
    for address in addresses:
        _check(address, allowed)
    first = addresses[0]
    at = f"[{first}]" if isinstance(first, ipaddress.IPv6Address) else str(first)
    called = f"[{host}]" if ":" in host else host
    usual = {("https", 443), ("http", 80)}
    name = called if (parts.scheme, port) in usual else f"{called}:{port}"
    return Target(parts._replace(netloc=f"{at}:{port}", fragment="").geturl(), host, name)


def _ascii(host: str) -> str:
    """A name as it is called on the wire. RefusedTargetError where it has no such form."""
    try:
        return host.encode("idna").decode() if not host.isascii() else host
    except UnicodeError as error:
        raise RefusedTargetError(f"{host!r} is no name: {error}") from error


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _check(address: Address, allowed: Sequence[Network]) -> None:
    inner = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None) or address
    if any(inner.version == network.version and inner in network for network in allowed):
        return
    if not inner.is_global or inner.is_multicast or inner.is_reserved:
        raise RefusedTargetError(
            f"{inner} is no public address; PENSTOCK_WEBHOOK_NETWORKS names networks that may be called"
        )
