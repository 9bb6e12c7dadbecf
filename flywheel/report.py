"""The report: the lake's answers as one HTML page that needs nothing else, for people without a notebook.

The figures are those of the `out_` views, asked over one connection and therefore of one state of the lake.
Tenants' names and judges' reasons are hostile input: every value is escaped by the template, and the page's
own policy lets it run no script and fetch nothing.
"""

from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Final

import jinja2

from flywheel.connection import connect
from flywheel.files import write_whole
from flywheel.page import figures
from flywheel.page.costs import costs
from flywheel.page.quality import failures, quality
from flywheel.page.summary import summary
from flywheel.page.tables import Ask, Row
from flywheel.page.work import came_out, durations

_TEMPLATES: Final = jinja2.Environment(
    loader=jinja2.PackageLoader("flywheel", "page"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def write_report(root: Path | str, target: Path, *, made_at: datetime) -> Path:
    """Write the report over the lake as it is now to `target`, whole or not at all, and return `target`.

    `root` is Penstock's home or the lake folder in it; `made_at`, aware, is the time the page carries. Raises
    LakeNotFoundError and LakeSchemaError as `connect` does, and OSError.
    """
    with closing(connect(root)) as connection:

        def ask(query: str) -> list[Row]:
            cursor = connection.execute(query)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

        page = _page(ask, made_at)
    write_whole(target, page.encode())
    return target


def _page(ask: Ask, made_at: datetime) -> str:
    sections = [part(ask) for part in (came_out, quality, failures, costs, durations)]
    return _TEMPLATES.get_template("report.html").render(
        made_at=figures.moment(made_at), summary=summary(ask), sections=sections
    )
