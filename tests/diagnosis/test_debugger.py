"""The debugger asks the model, then the rules, then the trace, and raises nothing."""

import asyncio
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.diagnosis.debugger import diagnose
from tasks.diagnosis.describe import describe_failure
from tasks.diagnosis.markdown import to_markdown
from tasks.diagnosis.prompt import code_block
from tasks.diagnosis.report import Diagnosis, FailureContext

CANARY = "Canary-Value-4711"
CONTEXT = FailureContext("notices", "b-9", "veloria-bikes", "LOW", "user", 1, secrets=(CANARY,))
ANSWER = Diagnosis(
    summary="The lock is slow", root_cause="5.2", suggested_fix="5.3", claude_prompt="Mend it", source="rules"
)


def answering(answer):
    """A model that gives `answer`."""

    async def ask(report):
        del report
        return answer

    return ask


def failing(error):
    """A model that raises `error`."""

    async def ask(report):
        del report
        raise error

    return ask


def run(error, ask=None, context=CONTEXT):
    """The diagnosis of `error`."""
    return asyncio.run(diagnose(error, context, ask))


def test_the_model_answers_first():
    """A usable answer is taken, and marked as the model's whatever it claims to be."""
    found = run(KeyError("x"), answering(ANSWER))
    assert (found.summary, found.source) == ("The lock is slow", "model")


def test_the_model_is_shown_the_redacted_report():
    """What is asked about is the report, and no secret of the error is in it."""
    seen = []

    async def ask(report):
        seen.append(report)
        return ANSWER

    run(ValueError(f"bad {CANARY}"), ask)
    assert seen == [describe_failure(ValueError(f"bad {CANARY}"), CONTEXT)]
    assert CANARY not in json.dumps(seen[0].shown())


def test_without_a_model_the_rules_answer_and_then_the_trace():
    """Known failures are explained by rules, unknown ones by their trace."""
    assert run(KeyError("x")).source == "rules"
    assert run(RuntimeError("otter")).source == "trace"


BLANK = Diagnosis.model_construct(
    summary=" ", root_cause="b", suggested_fix="c", claude_prompt="d", source="model", schema_version="1"
)
WRONG = Diagnosis.model_construct(
    summary=3, root_cause=None, suggested_fix=[], claude_prompt={}, source="?", schema_version="9"
)


@pytest.mark.parametrize("answer", [None, "text", 7, object(), {"summary": "x"}, BLANK, WRONG])
def test_an_answer_that_is_none_falls_through_to_the_rules(answer):
    """Nonsense from the model is as good as no model."""
    assert run(KeyError("x"), answering(answer)).source == "rules"


class Obscure(BaseException):
    """An exception outside the usual hierarchy."""


@pytest.mark.parametrize(
    "error", [RuntimeError("down"), TimeoutError(), Obscure(), ExceptionGroup("g", [OSError()])]
)
def test_a_model_that_fails_falls_through_to_the_rules_and_is_logged(error, caplog):
    """Whatever the model's call raises, the rules answer, and the log says that they had to."""
    assert run(KeyError("x"), failing(error)).source == "rules"
    assert type(error).__name__ in caplog.text


def test_an_ask_that_is_no_coroutine_falls_through():
    """Even an `ask` of the wrong kind raises nothing."""
    assert run(KeyError("x"), lambda _: 3).source == "rules"
    assert run(KeyError("x"), 3).source == "rules"


def test_secrets_in_the_models_answer_are_taken_out():
    """An answer that repeats a secret is redacted like everything else."""
    answer = ANSWER.model_copy(update={"claude_prompt": f"use {CANARY} and sk-ant-abcdefghij"})
    found = run(KeyError("x"), answering(answer))
    assert found.claude_prompt == "use [redacted] and [redacted]"


def test_our_own_cancellation_passes_through():
    """A task cancelled while the model is asked ends cancelled, not diagnosed."""

    async def scenario():
        asked = asyncio.Event()

        async def ask(report):
            del report
            asked.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(diagnose(KeyError("x"), CONTEXT, ask))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return task.cancelled()

    assert asyncio.run(scenario())


def test_a_time_limit_around_the_debugger_holds():
    """`asyncio.timeout` outside works by cancellation and is not swallowed."""

    async def scenario():
        async def ask(report):
            del report
            await asyncio.Event().wait()

        async with asyncio.timeout(0):
            await diagnose(KeyError("x"), CONTEXT, ask)

    with pytest.raises(TimeoutError):
        asyncio.run(scenario())


def test_a_cancellation_that_is_not_ours_is_a_failure_of_the_model():
    """A CancelledError out of `ask` while nobody cancelled us leads to the rules."""
    assert run(KeyError("x"), failing(asyncio.CancelledError())).source == "rules"


@pytest.mark.parametrize("order", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_orders_to_stop_pass_through(order):
    """An order to end the process that arrives while the model is asked is obeyed."""
    with pytest.raises(order):
        diagnose(KeyError("x"), CONTEXT, failing(order())).send(None)


@pytest.mark.parametrize(
    "error", [None, "text", 3, ValueError, KeyboardInterrupt(), asyncio.CancelledError()]
)
@pytest.mark.parametrize("context", [CONTEXT, None, "text"])
def test_whatever_it_is_fed_there_is_a_diagnosis(error, context):
    """Neither a strange error nor a strange context stops it, with or without a model."""
    for ask in (None, failing(RuntimeError()), answering(None)):
        assert isinstance(run(error, ask, context), Diagnosis)


MESSAGES = st.one_of(
    st.text(st.characters(codec=None), max_size=200),
    st.binary(max_size=50),
    st.none(),
    st.recursive(st.integers(), lambda inner: st.lists(inner, max_size=3), max_leaves=5),
)
KINDS = st.sampled_from(
    [
        ValueError,
        KeyError,
        OSError,
        RuntimeError,
        SystemExit,
        TypeError,
        asyncio.CancelledError,
        Obscure,
        StopIteration,
    ]
)


@settings(max_examples=60)
@given(
    kind=KINDS,
    args=st.lists(MESSAGES, max_size=3),
    names=st.text(st.characters(codec=None), max_size=20),
    extra=st.dictionaries(MESSAGES.filter(lambda v: not isinstance(v, list)), MESSAGES, max_size=4),
    answer=st.one_of(st.none(), st.text(st.characters(codec=None), max_size=30)),
)
def test_nonsense_never_raises_and_never_leaks(kind, args, names, extra, answer):
    """Any exception, context and answer give a diagnosis that can be stored, without the canary."""
    context = FailureContext(names, names, names, names, names, 1, extra=extra, secrets=(names, CANARY))
    if answer is not None:
        answer = ANSWER.model_copy(update={"summary": answer, "root_cause": f"{answer}{CANARY}"})
    found = run(kind(*args, CANARY), answering(answer), context)
    stored = found.model_dump_json()
    assert Diagnosis.model_validate_json(stored) == found
    assert CANARY not in stored
    assert CANARY not in to_markdown(found, describe_failure(kind(*args, CANARY), context))


def test_the_wire_names_are_camel_case_and_both_names_are_read():
    """Dumps say rootCause, suggestedFix, claudePrompt; either spelling is read back."""
    assert set(ANSWER.model_dump()) == {
        "schemaVersion",
        "summary",
        "rootCause",
        "suggestedFix",
        "claudePrompt",
        "source",
    }
    by_name = {
        "summary": "s",
        "root_cause": "r",
        "suggested_fix": "f",
        "claude_prompt": "p",
        "source": "trace",
    }
    assert Diagnosis.model_validate(by_name).root_cause == "r"
    assert Diagnosis.model_validate_json(ANSWER.model_dump_json()) == ANSWER


def test_the_ready_prompt_holds_failure_source_and_context():
    """A prompt made without a model has everything an assistant needs, in fences."""
    prompt = run(KeyError("x")).claude_prompt
    for part in (
        "## Failure",
        "KeyError: 'x'",
        "stage: notices",
        "## Context",
        "tenant: veloria-bikes",
        "```text",
    ):
        assert part in prompt


@given(st.text("`a\n ~", max_size=60))
def test_nothing_can_close_a_fence(text):
    """The fence is longer than every run of backticks in what it holds."""
    block = code_block(text, "text")
    fence = block.partition("text\n")[0]
    assert fence not in text
    assert block.startswith(f"{fence}text\n")
    assert block.endswith(f"\n{fence}")


def test_markdown_shows_all_parts_and_who_answered():
    """Headings for what, why and what to do, the trace where it is given, the prompt, and the source."""
    alone = to_markdown(ANSWER)
    for part in (
        "## What happened",
        "The lock is slow",
        "## Why",
        "## What to do",
        "```text\nMend it\n```",
        "rules",
    ):
        assert part in alone
    assert "## Trace" not in alone
    assert "## Trace" in to_markdown(ANSWER, describe_failure(KeyError("x"), CONTEXT))


def test_markdown_keeps_a_prompt_with_fences_in_one_piece():
    """A ready prompt, which has fences of its own, stands whole inside a longer fence."""
    found = run(KeyError("```\n# out"))
    shown = to_markdown(found)
    fence = shown.rpartition("````")[0].rpartition("\n")[2] + "````"
    assert shown.count(f"\n{fence}") == 2
    assert found.claude_prompt in shown
