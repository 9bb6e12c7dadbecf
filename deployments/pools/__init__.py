"""Base job templates of the kinds of pools: the worker's own, with what Penstock's runs need as defaults."""

import tomllib
from pathlib import Path
from typing import Any

from prefect.workers.utilities import get_default_base_job_template_for_infrastructure_type

from contracts.errors import OperatorError

HERE = Path(__file__).parent


class PoolError(OperatorError):
    """A pool cannot be made, or is of another kind."""


async def template_of(kind: str) -> dict[str, Any]:
    """The template of a pool of this kind.

    Raises:
        PoolError: no worker of the kind is installed here, or it has other variables than are set for it.
    """
    template = await get_default_base_job_template_for_infrastructure_type(kind)
    if template is None:
        raise PoolError(
            f"no worker of the type '{kind}' is known here: install its package, such as `prefect-{kind}`"
        )
    ours = HERE / f"{kind}.toml"
    return with_defaults(template, tomllib.loads(ours.read_text())) if ours.is_file() else template


def with_defaults(template: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """The template with these as the defaults of its variables; PoolError for one that it does not have."""
    properties = template["variables"]["properties"]
    if unknown := sorted(defaults.keys() - properties.keys()):
        raise PoolError(f"the pool's template has no {', '.join(unknown)}; it has {', '.join(properties)}")
    changed = {
        name: schema | ({"default": defaults[name]} if name in defaults else {})
        for name, schema in properties.items()
    }
    return {**template, "variables": {**template["variables"], "properties": changed}}
