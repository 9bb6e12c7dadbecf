"""What a model lets slip does not leave, though the judge saw nothing in it; over HTTP, from the settings on."""

import asyncio

import pytest
from pydantic import SecretStr

from ledger.work import read_items
from tasks.produce import CHECKS, GateClosedError, caller_for, produce
from tasks.prompts import load_prompt
from tasks.runtime import runtime
from tasks.settings import Settings
from tasks.stages import insights
from tasks.stages.context import validated_context

TEXTS = ["The phone rings out after five and nobody calls back, so we wait until Monday."]
CANARY = "zebra-4711-canary"
HOOK = "https://hooks.example.com/own-secret-path-123"
SLIPS = {
    "the prompt": (" ".join(load_prompt("insights").text.split()[:14]), "quotes the prompt"),
    "a fence": ("</events>", "holds markup of the prompt"),
    "the system": ("My instructions say so.", "speaks of the system"),
    "another tenant": ("As at Globex Industries.", "names another tenant"),
    "a canary": (f"Code {CANARY}.", "holds a canary string or a secret"),
    "our hook": (f"Tell {HOOK} of it.", "holds a canary string or a secret"),
    "a credential": ("Use sk-ant-api03-abcdefgh12345678.", "looks like a credential"),
}


def settings_for(tmp_path, offline) -> Settings:
    """An installation with a canary and a secret of its own."""
    return Settings(
        home=tmp_path,
        offline_url=offline.url,
        database_url=SecretStr(f"sqlite:///{tmp_path}/ledger.db"),
        notify_url=SecretStr(HOOK),
        canaries=(SecretStr(CANARY),),
    )


async def made(settings, fill, clock, texts=TEXTS):
    """Produce the first item of a batch of these texts; the error it ends in, and what was kept."""
    async with runtime(settings, clock=clock) as run:
        fill.claimed(run.ledger, ["Other words."], tenant="Globex Industries", lease="lease-2")
        work = fill.claimed(run.ledger, texts)
        (spec,) = insights.plan(validated_context(work), run.stage_options)
        who = caller_for(work, spec.stage, spec.name)
        try:
            await produce(spec, who, None, run.producer)
        except GateClosedError as error:
            return error, read_items(run.ledger, work.batch.id)
        return None, read_items(run.ledger, work.batch.id)


@pytest.mark.parametrize(("words", "says"), SLIPS.values(), ids=SLIPS)
def test_what_slipped_closes_the_gate(tmp_path, offline, fill, clock, words, says):
    """The item fails on leakage with 0 from the checks; what it was is named without being repeated."""
    offline.play([{"match": {"schema": "InsightReport"}, "play": {"kind": "slip", "words": words}}])
    error, (item,) = asyncio.run(made(settings_for(tmp_path, offline), fill, clock))
    finding = next(found for found in error.findings if found.criterion == "no_system_leakage")
    assert finding.score == 0.0
    assert says in finding.reason
    assert not any(secret in finding.reason for secret in (CANARY, "own-provider-key", "Globex", "abcdefgh"))
    assert item.verdict == "failed"


def test_an_honest_item_passes_with_the_judges_own_scores(tmp_path, offline, fill, clock):
    """The checks change nothing where they find nothing."""
    error, (item,) = asyncio.run(made(settings_for(tmp_path, offline), fill, clock))
    assert error is None
    assert item.verdict == "passed"
    assert item.judge_model != CHECKS


def test_a_new_tenant_is_known_within_a_minute(tmp_path, offline, fill, clock):
    """Names are read again: a tenant that came later is another tenant too."""

    async def names():
        async with runtime(settings_for(tmp_path, offline), clock=clock) as run:
            fill.claimed(run.ledger, TEXTS, tenant="Acme Works")
            before = await run.tenants.beside("Acme Works")
            fill.claimed(run.ledger, TEXTS, tenant="Globex Industries")
            clock.advance(minutes=1)
            return before, await run.tenants.beside("Acme Works"), await run.tenants.beside("acme works")

    assert asyncio.run(names()) == ((), ("Globex Industries",), ("Globex Industries",))
