"""What went wrong, as one line and an exit code."""

import errno
import os
import sys
import traceback
from enum import IntEnum
from pathlib import Path
from typing import NoReturn

from contracts.errors import OperatorError


class ExitCode(IntEnum):
    """What the command line's exit codes mean."""

    ATTENTION = 1
    """Done, but something needs attention."""
    WRONG_USE = 2
    """Wrong use or settings: correct the command, a file it names or a setting."""
    OUT_OF_REACH = 3
    """A service, the database, the disk or the model is out of reach."""
    UNEXPECTED = 70
    """A fault of Penstock's own."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C or SIGTERM."""


class NotFoundError(OperatorError):
    """Nothing is there under the id or path that was given."""


class OutOfReachError(OperatorError):
    """A server that is needed does not answer; the message says which and what to do."""


def fail(message: str, code: ExitCode) -> NoReturn:
    """End with one line on standard error."""
    sys.stderr.write(f"penstock: {' '.join(message.split())}\n")
    raise SystemExit(int(code))


def explain(error: Exception) -> NoReturn:
    """End with what `error` tells an operator; what no operator can know goes into a log file."""
    code = exit_code(error)
    if code is not ExitCode.UNEXPECTED:
        fail(told(error), code)
    name, first = type(error).__name__, (str(error).strip().splitlines() or ["no message"])[0]
    from tasks.diagnosis.redact import redact

    fail(f"unexpected {name}: {redact(first, _secrets())} ({_logged(error)})", code)


def told(error: Exception) -> str:
    """What an error that is no fault of ours tells an operator."""
    import httpx

    if isinstance(error, httpx.HTTPError):
        # The model's errors are our own by now, and so are those of a start: what asks here is Prefect's client.
        return (
            f"the Prefect server at {os.environ.get('PREFECT_API_URL')} does not answer ({error}); see that it runs: "
            "what was in work has been given back, is done in the next round or run, and nothing is paid twice"
        )
    if isinstance(error, OSError):
        return (
            f"{error.filename or 'a file'} cannot be used ({error.strerror}); free some space there, or see whose "
            "it is: what was finished is kept, and the rest is done in the next round or run"
        )
    return str(error)


_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM})
"""What an operating system says of a disk that is full or may not be written."""


def exit_code(error: Exception) -> ExitCode:
    """The exit code by what must be put right: an operator's errors are wrong use unless something is unreachable."""
    # Only here, on the way out: they load what `--help` does without.
    import httpx

    from deployments.services import ServiceError
    from ledger.errors import LedgerUnavailableError, NewerLedgerError

    if isinstance(
        error, (OutOfReachError, ServiceError, LedgerUnavailableError, NewerLedgerError, httpx.HTTPError)
    ):
        return ExitCode.OUT_OF_REACH
    if isinstance(error, OSError) and error.errno in _UNWRITABLE:
        return ExitCode.OUT_OF_REACH
    if isinstance(error, OperatorError):
        return ExitCode.WRONG_USE
    # The flywheel stands alone, so its errors are not OperatorErrors, but they too are in an operator's words.
    from flywheel.errors import LakeError

    return ExitCode.WRONG_USE if isinstance(error, LakeError) else ExitCode.UNEXPECTED


def _logged(error: Exception) -> str:
    """Append the traceback to the log; returns where it is."""
    from tasks.diagnosis.redact import redact
    from tasks.setting_fields import default_home

    log = Path(os.environ.get("PENSTOCK_HOME") or default_home()) / "logs" / "penstock.log"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as out:
            out.write(redact("".join(traceback.format_exception(error)), _secrets()))
    except OSError as unwritable:
        return f"{log} cannot be written for the details: {unwritable.strerror}"
    return f"details in {log}"


def _secrets() -> tuple[str, ...]:
    """What must not be shown; of settings that cannot be read, what the environment alone tells."""
    from tasks.diagnosis.redact import environment_secrets
    from tasks.setting_fields import SettingsError
    from tasks.settings import load_settings

    try:
        return load_settings().secrets
    except SettingsError:
        return environment_secrets()
