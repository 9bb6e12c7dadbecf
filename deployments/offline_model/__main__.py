"""The command line: `python -m deployments.offline_model --port 0 --ready-file PATH`. Stops on SIGTERM."""

import argparse
import os
import signal
import sys
from pathlib import Path

import orjson
from pydantic import TypeAdapter, ValidationError

from deployments.offline_model.app import OfflineModel, Options
from deployments.offline_model.plays import Rule, Script
from deployments.offline_model.server import HOST, address_of, bound_socket, http_server

RULES = TypeAdapter(list[Rule])


def parser() -> argparse.ArgumentParser:
    """The options."""
    options = argparse.ArgumentParser(prog="python -m deployments.offline_model", description=__doc__)
    options.add_argument("--port", type=int, default=0, help="0 for any free one")
    options.add_argument(
        "--address", default=HOST, help=f"where to listen (default {HOST}); containers want 0.0.0.0"
    )
    options.add_argument(
        "--ready-file", type=Path, help='file that gets {"url": ..., "pid": ...} when listening'
    )
    options.add_argument("--key", help="the only key that is accepted; without it any key is")
    options.add_argument("--latency", type=float, default=0.0, help="seconds added to every message")
    options.add_argument("--any-model", action="store_true", help="answer for every model name (rehearsals)")
    options.add_argument("--plays", type=Path, help="JSON file with a list of rules, as POST /offline/plays")
    return options


def write_ready(path: Path, url: str) -> None:
    """The ready file, whole or not at all."""
    partial = path.with_name(f"{path.name}.tmp")
    partial.write_bytes(orjson.dumps({"url": url, "pid": os.getpid()}))
    partial.replace(path)


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; 2 with one line on standard error for a wrong file or a taken port."""
    chosen = parser().parse_args(arguments)
    try:
        rules = RULES.validate_json(chosen.plays.read_bytes()) if chosen.plays else []
        listening = bound_socket(chosen.port, chosen.address)
    except (OSError, ValidationError) as error:
        sys.stderr.write(f"offline model: {error}; correct --plays or choose another --port\n")
        return 2
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, lambda *_: sys.exit(0))
    app = OfflineModel(Script(rules), Options(chosen.key, chosen.latency, chosen.any_model))
    with listening:
        if chosen.ready_file:
            write_ready(chosen.ready_file, address_of(listening))
        else:
            sys.stdout.write(f"{address_of(listening)}\n")
            sys.stdout.flush()
        http_server(app).run([listening])
    return 0


if __name__ == "__main__":
    sys.exit(main())
