"""`prefect server ...`, whose memory is settled: `python -m deployments.settled_server start` or `... services start`.

What a server has loaded stays for good. Looked through for garbage again and again, it stops every request for 0.4 to
0.8 s; set aside, for 0.05 to 0.1 s.
"""

import importlib
import sys
import threading
from typing import Final

from tasks.collector import settle_memory

WARM_AFTER_S: Final = 30.0
"""By then a server has begun its services and answered its first requests, and has what it needs for the others."""


def main() -> None:
    """Load what a server consists of, set it aside, go on as Prefect's own command, and do so once more when warm."""
    importlib.import_module("prefect.server.api.server")
    settle_memory()
    again = threading.Timer(WARM_AFTER_S, settle_memory)
    again.daemon = True
    again.start()
    sys.argv = ["prefect", "server", *sys.argv[1:]]
    importlib.import_module("prefect.cli").app()


if __name__ == "__main__":
    main()
