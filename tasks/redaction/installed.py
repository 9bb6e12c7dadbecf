"""Whether redaction can be had on this machine; nothing of it is loaded for the answer."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

_LIBRARIES: Final = ("presidio_analyzer", "faker")


def what_is_missing(model: str | None) -> str | None:
    """Why redaction with this spaCy model, or with none, is not possible here; None where it is."""
    missing = [name for name in _LIBRARIES if find_spec(name) is None]
    if missing:
        return (
            f"PENSTOCK_REDACT is set, but {' and '.join(missing)} cannot be imported: "
            "install `penstock[redact]`, or unset it"
        )
    if model is not None and not _is_model(model):
        return (
            f"PENSTOCK_REDACT_MODEL is {model!r}, but there is no such spaCy model: install its package, "
            "or name its folder; nothing is downloaded"
        )
    return None


def _is_model(name: str) -> bool:
    """A folder with a pipeline, or a package that holds one."""
    package = find_spec(name) if name.isidentifier() else None
    places = (package and package.submodule_search_locations) or ()
    return any(Path(place, "meta.json").is_file() for place in (name, *places))
