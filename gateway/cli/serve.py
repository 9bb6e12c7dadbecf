"""`serve`: the HTTP gateway, until Ctrl-C."""

import uvicorn

from gateway.cli.output import err, print_json
from gateway.http.app import create_app
from gateway.http.protocol import PromptProtocol
from ledger.engine import close_ledger, open_ledger
from tasks.settings import Settings, load_settings

STOPS_WITHIN_S = 30
"""Requests that are under way at the end are answered within this time."""

KEEP_ALIVE_S = 130
"""Longer than load balancers keep theirs (120 s): one that is closed here first is used once more, and fails."""


def run_serve(host: str, port: int, *, as_json: bool) -> None:
    """Serve the gateway of this installation."""
    settings = load_settings()
    # What is wrong with the ledger is said now, in a line, and not by every request.
    close_ledger(open_ledger(settings.ledger_url))
    address = f"http://{host}:{port}"
    if as_json:
        print_json({"gateway": address, "docs": f"{address}/docs"})
    else:
        err.print(
            f"the gateway answers at {address}; what it takes is described at {address}/docs", soft_wrap=True
        )
    server_of(settings, host, port).run()


def server_of(settings: Settings, host: str, port: int) -> uvicorn.Server:
    """The gateway's server: it reads requests that come within their time, and answers the last ones at its end."""
    config = uvicorn.Config(
        create_app(settings),
        host=host,
        port=port,
        http=PromptProtocol,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOPS_WITHIN_S,
        access_log=False,
        log_level="warning",
    )
    return uvicorn.Server(config)
