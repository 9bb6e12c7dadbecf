"""What the offline model's tests share: a server, made-up events, and one way to ask through the real SDK."""

import asyncio
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, Literal

import anthropic
import pytest
from pydantic import BaseModel

from contracts import content
from deployments.offline_model.server import OfflineHandle, serve_offline
from evaluation.fence import fenced
from evaluation.judge import reply_type
from evaluation.rubric import DELIVERABLE_RUBRIC

TEXTS = (
    ("waiting", "I waited three hours in the queue and nobody told me how long the delay would be."),
    ("waiting", "The queue was terrible, we waited 90 minutes for a two minute appointment."),
    ("waiting", "Waiting on hold for 45 minutes is unacceptable, please call back instead."),
    ("billing", "You charged me a fee of 12 dollars twice and the price is not on the page."),
    ("billing", "The fee is too expensive and nobody can explain the extra charge of 30 dollars."),
    ("staff", "The nurse was kind and caring, thank you for the excellent and friendly treatment."),
    ("staff", "Wonderful staff, very polite and helpful from beginning to end of my visit."),
    ("app", "The app crashes with an error whenever I open the second page of my account."),
)


class Diagnosis(BaseModel):
    """The debugger's schema, as the wire has it."""

    summary: str
    root_cause: str
    suggested_fix: str
    claude_prompt: str


def event(n: int, topic: str, text: str, **others: Any) -> dict[str, Any]:
    """One event as a prompt shows it."""
    known = {
        "kind": "feedback.submitted",
        "when": f"2024-05-{n % 28 + 1:02d}",
        "priority": "LOW",
        "rating": None,
    }
    return {"n": n, "topic": topic, "text": text, **known, **others}


def events(*texts: tuple[str, str]) -> list[dict[str, Any]]:
    """Events of (topic, text), numbered from 1."""
    return [event(n, topic, text) for n, (topic, text) in enumerate(texts or TEXTS, start=1)]


def assignment(
    form: str, audience: str | None = None, tenant: str = "acme", user: str | None = None
) -> dict[str, Any]:
    """The section that says whose events these are and what is wanted."""
    scope: Literal["user", "tenant"] = "user" if user else "tenant"
    who = {"tenant": tenant, "user": user, "scope": scope, "level": "LOW"}
    return {**who, "stage": form, "form": form, "audience": audience}


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """The output configuration the SDK sends for a model."""
    return {"format": {"type": "json_schema", "schema": anthropic.transform_schema(model)}}


def call(url: str, use: Callable[[anthropic.AsyncAnthropic], Any], key: str = "x") -> Any:
    """Run one use of a real client against a server, closed afterwards."""

    async def run() -> Any:
        async with anthropic.AsyncAnthropic(base_url=url, api_key=key, max_retries=0, timeout=20) as client:
            return await use(client)

    return asyncio.run(run())


def message(
    url: str, sections: dict[str, Any], schema: type[BaseModel] | None, **options: Any
) -> anthropic.types.Message:
    """One message for these sections and this schema."""
    config = {} if schema is None else {"output_config": schema_of(schema)}
    asked = [{"role": "user", "content": fenced(sections)}]
    fixed = {
        "model": "offline-extractive",
        "max_tokens": 8000,
        "system": "Write the output.",
        "messages": asked,
    }
    return call(url, lambda client: client.messages.create(**{**fixed, **config, **options}))


def answered(url: str, sections: dict[str, Any], model: type[BaseModel]) -> Any:
    """The answer, validated by its own model."""
    return model.model_validate_json(message(url, sections, model).content[0].text)


@pytest.fixture(scope="session")
def offline() -> Iterator[OfflineHandle]:
    """A server without plays, shared by every test that only reads."""
    with serve_offline() as handle:
        yield handle


@pytest.fixture(scope="session")
def ask() -> SimpleNamespace:
    """The helpers above and the models of every schema."""
    return SimpleNamespace(
        event=event,
        events=events,
        assignment=assignment,
        schema_of=schema_of,
        call=call,
        message=message,
        answered=answered,
        content=content,
        judge_reply=reply_type(DELIVERABLE_RUBRIC),
        diagnosis=Diagnosis,
    )
