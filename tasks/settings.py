"""The settings in force, and what follows from them."""

import json
import os
import re
from collections.abc import Mapping
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from pydantic import ValidationError
from pydantic_settings import SettingsError as SourceError

from ledger.breakers import BreakerRules
from ledger.call_rules import CallRules, RetryBudget
from tasks.batch_policy import BatchPolicy
from tasks.diagnosis.redact import environment_secrets
from tasks.model.caps import REQUESTS, Cap, cap_of_tokens, requests_of_model, requests_of_tenant
from tasks.setting_fields import SettingFields, SettingsError, TenantLimits

OFFLINE_MODEL = "offline-extractive"
PREFIX: Final = "PENSTOCK_"
NEAR: Final = 0.9
"""How much of a name has to be that of a setting to be taken for a slip: all but a letter or two."""
OF_A_SERVICE: Final = re.compile(r"_(SERVICE_(HOST|PORT)|PORT)(_|$)")
"""What Kubernetes tells every container of a service (kubernetes.io, "Environment variables")."""
BY_LEVELS: Final = "PENSTOCK_BATCHING"
EXAMPLE: Final = '{"tenant": {"HIGH": {"threshold": 5}}}'
WORDS: Final = {
    "bool_parsing": "Input should be 1 or 0",
    "extra_forbidden": f"there is no such setting (levels are written as in PENSTOCK_BATCHING='{EXAMPLE}')",
}
"""Where pydantic's words do not say what is allowed."""


_USUAL: Final = TenantLimits()


class Settings(SettingFields):
    """What an operator has set, with the paths, times and rules that it comes to."""

    @property
    def is_offline(self) -> bool:
        """True when no provider is configured: the offline model answers, and nothing costs anything."""
        return self.anthropic_api_key is None and self.anthropic_base_url is None

    @property
    def ledger_url(self) -> str:
        """SQLAlchemy-style address of the ledger: the setting, or SQLite under `home`."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.home / 'ledger.db'}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """Values that nobody may see: keys, addresses that hold one, passwords; the environment's others too."""
        kept = (
            *(self.anthropic_api_key, self.database_url, self.notify_url),
            *(self.redact_key, self.metrics_token),
        )
        values = [secret.get_secret_value() for secret in kept if secret is not None]
        password = urlsplit(self.ledger_url).password
        return (*values, *([unquote(password)] if password else ()), *environment_secrets())

    @property
    def never_shown(self) -> tuple[str, ...]:
        """What no deliverable may hold: the secrets, and the canaries an operator has planted."""
        return (*filter(_is_telling, self.secrets), *(canary.get_secret_value() for canary in self.canaries))

    def http_limits(self, tenant: str) -> tuple[float, int]:
        """How many events a second, and how many bytes in a body, a tenant may send the gateway."""
        own = self.http_by_tenant.get(tenant, _USUAL)
        return own.events_per_s or self.http_events_per_s, own.body_bytes or self.http_body_bytes

    @property
    def lake(self) -> Path:
        """Folder of the analysts' Parquet files."""
        return self.home / "lake"

    @property
    def deliverables(self) -> Path:
        """Folder the file channel publishes to."""
        return self.home / "deliverables"

    @property
    def workplace(self) -> Path:
        """Folder in which files are worked on."""
        return self.home / "work"

    @property
    def report(self) -> Path:
        """The report page over the lake."""
        return self.home / "report.html"

    @property
    def call_rules(self) -> CallRules:
        """When calls of a model are broken off, and how many may be repeated."""
        breaker = BreakerRules(
            failures=self.breaker_failures,
            cool_down=timedelta(seconds=self.breaker_cool_down_s),
            longest=timedelta(seconds=self.breaker_longest_s),
            probe_time=timedelta(seconds=2 * self.request_timeout_s),
        )
        window = timedelta(seconds=self.retry_window_s)
        return CallRules(breaker, RetryBudget(self.retry_share, self.retry_least, window))

    @property
    def caps(self) -> tuple[Cap, ...]:
        """Every cap on requests to models that has to exist."""
        of_models = (Cap(requests_of_model(of), most) for of, most in self.requests_by_model.items())
        of_tenants = (Cap(requests_of_tenant(of), most) for of, most in self.requests_by_tenant.items())
        tokens = (cap_of_tokens(model, a_minute) for model, a_minute in self.tokens_a_minute.items())
        return (Cap(REQUESTS, self.model_requests_in_flight), *of_models, *of_tenants, *tokens)

    @property
    def solution_window(self) -> timedelta:
        """The rolling window of the solution throttle."""
        return timedelta(seconds=self.solution_window_s)

    @property
    def hold(self) -> timedelta:
        """How long a batch is held that met an outage, before it tries again."""
        return timedelta(seconds=self.hold_s)

    @property
    def stuck_after(self) -> timedelta:
        """How long a batch in work may show no sign of life."""
        return timedelta(seconds=self.stuck_after_s)

    @property
    def delivery_hold(self) -> timedelta:
        """How long a message is its publisher's before another may take it."""
        return timedelta(seconds=self.delivery_hold_s)

    @property
    def lease(self) -> timedelta:
        """How long a claimed batch is ours without renewal."""
        return timedelta(seconds=self.lease_s)

    def generation_model(self) -> str:
        """The model that writes."""
        return OFFLINE_MODEL if self.is_offline else self.model

    def judging_model(self) -> str:
        """The model that judges."""
        return OFFLINE_MODEL if self.is_offline else self.judge_model

    def diagnosing_model(self) -> str:
        """The cheap model that explains failures."""
        return OFFLINE_MODEL if self.is_offline else self.diagnosis_model


def load_settings() -> Settings:
    """The settings in force; `SettingsError` names the first wrong one and what it allows."""
    _refuse_misspelt(os.environ)
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        said = WORDS.get(first["type"], first["msg"].removeprefix("Value error, "))
        raise SettingsError(f"{_setting(first['loc'])}{said}") from error
    except SourceError as error:
        # `error parsing value for field "batching" from source ...` is all it tells.
        name = str(error).split('"')[1]
        usual = Settings.model_fields[name].default
        example = EXAMPLE if isinstance(usual, BatchPolicy) else json.dumps(usual or ["one", "two"])
        raise SettingsError(
            f"PENSTOCK_{name.upper()}: Input should be JSON, such as {example} ({error.__cause__})"
        ) from error


def _refuse_misspelt(environ: Mapping[str, str]) -> None:
    """Refuse a name that is nearly a setting's: who asked for redaction must not find out later that there is none.

    Others are let be, and so is what Kubernetes sets for a service whose name begins with ours.
    """
    known = {_variable(name) for name in Settings.model_fields}
    for variable, value in environ.items():
        whole = variable.upper()
        name, *levels = whole.split("__")
        if not value or not name.startswith(PREFIX) or OF_A_SERVICE.search(name):
            continue
        if name in known and levels and name != BY_LEVELS:
            raise SettingsError(f"{variable} is no setting: did you mean {name}_{'_'.join(levels)}?")
        if name.removeprefix(PREFIX) in known:
            raise SettingsError(f"{variable} is no setting: it is read from {name.removeprefix(PREFIX)}")
        if name not in known and (near := get_close_matches(name, known, 1, NEAR)):
            raise SettingsError(f"{variable} is no setting: did you mean {near[0]}?")


def _variable(name: str) -> str:
    """The environment's variable that a setting is read from."""
    alias = Settings.model_fields[name].validation_alias
    return alias if isinstance(alias, str) else f"{PREFIX}{name.upper()}"


def _is_telling(secret: str) -> bool:
    """False for a secret such as `app` or `password`, which stands in honest texts by chance."""
    return len(secret) >= 8 and not (secret.isalpha() and len(secret) < 16)  # noqa: PLR2004


def _setting(location: tuple[int | str, ...]) -> str:
    """`PENSTOCK_BATCHING__MAX_EVENTS: `, as the operator writes it; empty for what concerns several settings."""
    if not location:
        return ""
    name = "__".join(part for part in location if isinstance(part, str)).upper()
    entry = "".join(f", entry {part + 1}" for part in location if isinstance(part, int))
    prefix = "" if name.startswith(("ANTHROPIC_", "PREFECT_")) else PREFIX
    return f"{prefix}{name}{entry}: "
