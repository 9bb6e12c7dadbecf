"""`report`: the page over the lake, without a run."""

import sys
from datetime import UTC, datetime

from flywheel import write_report
from gateway.cli.output import print_json
from tasks.settings import load_settings


def print_report(*, as_json: bool) -> None:
    """Write `report.html` over the lake as the last run left it, and print its path alone."""
    settings = load_settings()
    path = write_report(settings.lake, settings.report, made_at=datetime.now(UTC))
    if as_json:
        print_json({"report": str(path.absolute())})
    else:
        sys.stdout.write(f"{path.absolute()}\n")
