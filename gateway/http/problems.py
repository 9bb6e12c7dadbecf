"""What is refused over HTTP, as RFC 9457 has it: a title, a status, and what to do (`application/problem+json`)."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from ledger.errors import LedgerFaultError

_LOG: Final = logging.getLogger("penstock")
PROBLEM: Final = "application/problem+json"


class Problem(BaseModel):
    """A refusal; RFC 9457, section 3."""

    title: str = Field(description="What kind of refusal it is.")
    status: int = Field(description="The HTTP status again.")
    detail: str = Field(description="What was wrong, and what to do.")


class RefusedError(Exception):
    """A request that is refused, with the status and the words of its answer."""

    def __init__(
        self, status: int, title: str, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.title, self.detail, self.headers = status, title, detail, dict(headers or {})


def problem(status: int, title: str, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """The answer that says so."""
    return answer(Problem(title=title, status=status, detail=detail), status, headers, PROBLEM)


def answer(
    said: BaseModel, status: int, headers: Mapping[str, str] | None = None, kind: str = "application/json"
) -> Response:
    """An answer with a status that what it says decides; what is not known of it is left out."""
    return Response(said.model_dump_json(exclude_none=True), status, dict(headers or {}), media_type=kind)


async def refused(request: Request, error: RefusedError) -> Response:
    """The answer to what was refused by us."""
    _note(request, error.status, error.title, error.detail)
    return problem(error.status, error.title, error.detail, error.headers)


async def unusable(request: Request, error: RequestValidationError) -> Response:
    """The answer to parameters or a body that are not as the API has them."""
    first = error.errors()[0]
    detail = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    _note(request, 422, "Unusable request", detail)
    return problem(422, "Unusable request", detail)


async def unknown(request: Request, error: HTTPException) -> Response:
    """The answer where there is nothing, or nothing of the kind."""
    _note(request, error.status_code, HTTPStatus(error.status_code).phrase, str(error.detail))
    return problem(
        error.status_code, str(error.detail), f"{error.detail}; GET /docs shows what there is", error.headers
    )


async def away(request: Request, error: LedgerFaultError) -> Response:
    """The answer while the ledger cannot be reached. Why is the operator's to know."""
    _note(request, 503, "Not now", "the ledger cannot be reached")
    _LOG.warning("requests are answered with 503: %s", error)
    return problem(503, "Not now", "nothing was taken in; send it again in a while", {"retry-after": "5"})


def _note(request: Request, status: int, reason: str, detail: str) -> None:
    """Count it, and have it in the log; an id in the address may be anybody's, so the route stands for it."""
    route = getattr(request.scope.get("route"), "path", "other")
    request.app.state.counts.refused(reason, status, f"{request.method} {route}", detail)


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For the API's description: these statuses are answered with a problem."""
    return {status: {"model": Problem, "content": {PROBLEM: {}}} for status in statuses}
