"""`penstock`: the command line. Commands import what they need when they run, so that `--help` is quick."""

import os
import sys
import traceback
from pathlib import Path

WRONG_USE = {
    "SettingsError",
    "NotFoundError",
    "SourceError",
    "MappingError",
    "PriceError",
    "AmbiguousIdError",
}


def main() -> None:
    """Run the command line. Every failure is one line and an exit code, never a traceback.

    Exit codes: 0 done; 1 done, but something needs attention; 2 wrong use or settings; 3 a service, the
    database or the model is out of reach; 130 interrupted.
    """
    from gateway.cli.app import app

    try:
        app()
    except KeyboardInterrupt:
        _fail("stopped; what was finished is kept, `penstock run` goes on from here", 130)
    except Exception as error:  # noqa: BLE001 - the last door before the operator
        _explain(error)


def _explain(error: Exception) -> None:
    from contracts.errors import OperatorError

    if isinstance(error, OperatorError):
        _fail(str(error), 2 if type(error).__name__ in WRONG_USE else 3)
    log = Path(os.environ.get("PENSTOCK_HOME", ".")) / "penstock-error.log"
    with log.open("a") as out:
        traceback.print_exception(error, file=out)
    _fail(f"unexpected {type(error).__name__}: {error} (details in {log})", 1)


def _fail(message: str, code: int) -> None:
    sys.stderr.write(f"penstock: {message}\n")
    raise SystemExit(code)
