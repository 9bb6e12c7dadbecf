"""Everything that Prefect's API gives in pages."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

PAGE: Final = 200


async def pages(read: Callable[..., Awaitable[list[Any]]], **what: Any) -> AsyncIterator[Any]:  # noqa: ANN401 - as `read` takes it
    """Everything that a method of Prefect's client gives, page by page."""
    offset = 0
    while page := await read(limit=PAGE, offset=offset, **what):
        for one in page:
            yield one
        offset += len(page)
