"""Whether this host's `prefect server services start` is alive: it serves no HTTP that could be asked.

What it does besides, it does as a worker of a docket, which says every two seconds in Redis that it is alive.
`python -m deployments.background_health` ends with 0 or, with a message, with 1.
"""

import asyncio
import socket

from docket import Docket
from prefect.settings import get_current_settings

DOCKET = "prefect"
"""As Prefect's command names it."""


async def is_alive(host: str, url: str) -> bool:
    """True where a worker of that host has been heard of in the last ten seconds."""
    async with Docket(name=DOCKET, url=url) as docket:
        return any(worker.name.startswith(f"{host}#") for worker in await docket.workers())


def main() -> None:
    """Says nothing where all is well."""
    host, url = socket.gethostname(), get_current_settings().server.docket.url
    if not asyncio.run(is_alive(host, url)):
        raise SystemExit(f"Prefect's background services on {host} have not been heard of for ten seconds")


if __name__ == "__main__":
    main()
