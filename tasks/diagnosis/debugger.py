"""The debugger: a cheap model explains a failure; if it cannot, rules do; if they cannot, the trace does."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from tasks.diagnosis.describe import describe_failure
from tasks.diagnosis.report import Diagnosis, FailureContext, FailureReport
from tasks.diagnosis.rules import diagnose_by_rules
from tasks.diagnosis.safely import bounded, shielded, type_name
from tasks.diagnosis.trace import diagnose_by_trace

Ask = Callable[[FailureReport], Awaitable[Diagnosis]]

_ANSWER_CHARS: Final = 8_000
_log = logging.getLogger(__name__)


async def diagnose(error: BaseException, context: FailureContext, ask: Ask | None = None) -> Diagnosis:
    """Explain `error`, by `ask` if given. Raises nothing, whatever it is fed and whatever `ask` does.

    Orders to stop are no failures and pass through: KeyboardInterrupt, SystemExit and GeneratorExit out of
    `ask`, and the cancellation of the task we run in. A CancelledError that nobody sent to our task is a
    failure of `ask` like any other. Time limits are `ask`'s to keep.
    """
    report = describe_failure(error, context)
    if ask is not None:
        answer = await _asked(ask, report, shielded(lambda: tuple(context.secrets), ()))
        if answer is not None:
            return answer
    return shielded(lambda: diagnose_by_rules(report), None) or shielded(
        lambda: diagnose_by_trace(report), _SPEECHLESS
    )


async def _asked(ask: Ask, report: FailureReport, secrets: tuple[str, ...]) -> Diagnosis | None:
    try:
        return _checked(await ask(report), secrets)
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except asyncio.CancelledError:
        if _is_cancelled():
            raise
        _log.warning("the diagnosis model's call was cancelled; rules answer")
    except BaseException as failed:  # noqa: BLE001 - the debugger never raises
        _log.warning("the diagnosis model failed with %s; rules answer", type_name(failed))
    return None


def _is_cancelled() -> bool:
    """True when somebody asked the task we run in to stop (`Task.cancelling`, Python 3.11)."""
    task = shielded(asyncio.current_task, None)
    return task is not None and task.cancelling() > 0


def _checked(answer: Diagnosis, secrets: tuple[str, ...]) -> Diagnosis:
    """The model's answer as plain, bounded text; ValidationError or TypeError for what is none."""
    return Diagnosis(
        summary=bounded(answer.summary, secrets, _ANSWER_CHARS),
        root_cause=bounded(answer.root_cause, secrets, _ANSWER_CHARS),
        suggested_fix=bounded(answer.suggested_fix, secrets, _ANSWER_CHARS),
        claude_prompt=bounded(answer.claude_prompt, secrets, _ANSWER_CHARS),
        source="model",
    )


_SPEECHLESS: Final = Diagnosis(
    summary="A step failed, and its failure could not be described.",
    root_cause="Not known.",
    suggested_fix="Look into the logs of the run.",
    claude_prompt="A step of the Penstock pipeline failed without a readable trace. Find out how.",
    source="trace",
)
