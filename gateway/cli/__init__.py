"""`penstock`: the command line. Commands import what they need when they run, so that `--help` is quick."""

import signal

INTERRUPTED = 130
"""What Typer returns for Ctrl-C, as shells do for a command that SIGINT ended."""


def main() -> None:
    """Run the command line. Every failure is one line and an exit code (`gateway.cli.errors`), never a traceback."""
    # A service manager's stop is an operator's Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _run()
    except KeyboardInterrupt:
        _stopped()


def _run() -> None:
    from typer.exceptions import TyperException

    from gateway.cli.app import app

    try:
        code = app(standalone_mode=False)
    except TyperException as error:
        error.show()  # type: ignore[attr-defined] # every one that parsing raises has it
        raise SystemExit(error.exit_code) from None
    except Exception as error:  # noqa: BLE001 - the last door before the operator
        from gateway.cli.errors import explain

        explain(error)
    if code == INTERRUPTED:
        _stopped()


def _stopped() -> None:
    from gateway.cli.errors import ExitCode, fail

    fail("stopped; what was finished is kept, and the same command goes on from there", ExitCode.INTERRUPTED)
