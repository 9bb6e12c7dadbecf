"""Settings: the one module that reads the environment and `penstock.toml`.

Every setting is `PENSTOCK_<NAME>` in the environment (`__` between levels, as in
`PENSTOCK_BATCHING__TENANT__HIGH__THRESHOLD=5`) or the same name in `$PENSTOCK_HOME/penstock.toml`; the
environment wins. The provider's key and address are read from where its own tools read them.
"""

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings import SettingsError as SourceError

from contracts.errors import OperatorError
from ledger.breakers import BreakerRules
from ledger.call_rules import CallRules, RetryBudget
from tasks.batch_policy import BatchPolicy
from tasks.redaction.installed import what_is_missing

OFFLINE_MODEL = "offline-extractive"

DAY_S = 86_400
SHORTEST_CANARY = 6


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
        raise ValueError("Input should be an address such as https://host:port/path")
    return url


Address = Annotated[str, AfterValidator(_address)]
Delay = Annotated[float, Field(ge=0, le=3_600)]
SolutionForm = Literal["document", "action_plan", "structured_report"]
Audience = Literal["admin", "team_lead", "end_user"]


_KEY = re.compile(r"([0-9a-fA-F]{2}){16,64}")


def _is_telling(secret: str) -> bool:
    """False for a secret such as `app` or `password`, which stands in honest texts by chance."""
    return len(secret) >= 8 and not (secret.isalpha() and len(secret) < 16)  # noqa: PLR2004


class SettingsError(OperatorError):
    """A setting is wrong; the message names it and says what is allowed."""


def default_home() -> Path:
    """`.penstock` in the checkout when run from one, else in the user's home folder."""
    root = Path(__file__).resolve().parents[1]
    return (root if (root / "prefect.yaml").is_file() else Path.home()) / ".penstock"


class Settings(BaseSettings):
    """Everything an operator can set. Times in seconds, money in USD."""

    model_config = SettingsConfigDict(
        env_prefix="PENSTOCK_",
        env_nested_delimiter="__",
        # One level's threshold may be set without repeating the other five.
        nested_model_default_partial_update=True,
        frozen=True,
        extra="forbid",
        env_ignore_empty=True,
    )

    home: Path = Field(default_factory=default_home)
    database_url: SecretStr | None = None
    mapping: Path | None = None
    prices: Path | None = None

    redact: bool = False
    redact_model: str | None = None
    redact_key: SecretStr | None = None

    anthropic_api_key: SecretStr | None = Field(None, validation_alias="ANTHROPIC_API_KEY")
    anthropic_base_url: Address | None = Field(None, validation_alias="ANTHROPIC_BASE_URL")
    offline_url: Address | None = None
    model: str = "claude-sonnet-5-5"
    judge_model: str = "claude-opus-5-5"
    diagnosis_model: str = "claude-haiku-5-5"
    max_output_tokens: int = Field(8_000, ge=256, le=64_000)
    request_timeout_s: float = Field(120, gt=0, le=600)
    retry_delays_s: tuple[Delay, ...] = (1.0, 5.0, 25.0)
    message_attempts: int = Field(12, ge=1, le=1_000)
    retry_share: float = Field(0.2, ge=0, le=1)
    retry_least: int = Field(20, ge=0, le=100_000)
    retry_window_s: float = Field(60, gt=0, le=DAY_S)
    breaker_failures: int = Field(10, ge=1, le=10_000)
    breaker_cool_down_s: float = Field(30, gt=0, le=DAY_S)
    breaker_longest_s: float = Field(600, gt=0, le=DAY_S)

    model_requests_in_flight: int = Field(32, ge=1, le=10_000)
    batches_in_flight: int = Field(40, ge=1, le=1_000)
    lease_s: float = Field(120, ge=5, le=DAY_S)
    stop_s: float = Field(60, ge=0, le=DAY_S)
    hold_s: float = Field(300, ge=1, le=30 * DAY_S)

    batching: BatchPolicy = BatchPolicy()
    top_recommendations: int = Field(1, ge=1, le=5)
    solution_forms: tuple[SolutionForm, ...] = ("document", "action_plan", "structured_report")
    audiences: tuple[Audience, ...] = ("admin", "team_lead", "end_user")
    solutions_per_window: int = Field(100, ge=1)
    solution_window_s: float = Field(DAY_S, gt=0, le=366 * DAY_S)

    canaries: tuple[SecretStr, ...] = ()
    ordinary_names: tuple[str, ...] = ()

    lake_every_s: float = Field(30, ge=0, le=DAY_S)
    delivery_hold_s: float = Field(120, ge=1, le=DAY_S)
    notify_url: SecretStr | None = None

    prefect_api_url: Address | None = Field(None, validation_alias="PREFECT_API_URL")

    @field_validator("solution_forms", "audiences")
    @classmethod
    def _distinct(cls, chosen: tuple[str, ...]) -> tuple[str, ...]:
        if not chosen or len(set(chosen)) != len(chosen):
            raise ValueError("name at least one, each once")
        return chosen

    @field_validator("canaries")
    @classmethod
    def _long_enough(cls, canaries: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(sum(map(str.isalnum, canary.get_secret_value())) < SHORTEST_CANARY for canary in canaries):
            raise ValueError(
                f"each needs at least {SHORTEST_CANARY} letters or digits, or honest texts hold it too"
            )
        return canaries

    @model_validator(mode="after")
    def _one_batch_fits_the_throttle(self) -> Self:
        wanted = self.top_recommendations * len(self.solution_forms)
        if wanted > self.solutions_per_window:
            raise ValueError(
                f"PENSTOCK_SOLUTIONS_PER_WINDOW is {self.solutions_per_window}, but every batch makes {wanted} "
                "solutions: raise it, or lower PENSTOCK_TOP_RECOMMENDATIONS or PENSTOCK_SOLUTION_FORMS"
            )
        return self

    @field_validator("redact_key")
    @classmethod
    def _key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and not _KEY.fullmatch(key.get_secret_value()):
            raise ValueError("Input should be 32 to 128 hexadecimal digits, an even number of them")
        return key

    @model_validator(mode="after")
    def _redaction_is_installed(self) -> Self:
        """Refused at the start: an operator who asked for redaction must not find out later that there is none."""
        if self.redact_model is not None and not self.redact:
            raise ValueError("PENSTOCK_REDACT_MODEL is set, but redaction is off: set PENSTOCK_REDACT=1, too")
        problem = what_is_missing(self.redact_model) if self.redact else None
        if problem is not None:
            raise ValueError(problem)
        return self

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
        """Values that nobody may see: keys, addresses that hold one, the database's password."""
        kept = (self.anthropic_api_key, self.database_url, self.notify_url, self.redact_key)
        values = [secret.get_secret_value() for secret in kept if secret is not None]
        password = urlsplit(self.ledger_url).password
        return (*values, unquote(password)) if password else tuple(values)

    @property
    def never_shown(self) -> tuple[str, ...]:
        """What no deliverable may hold: the secrets, and the canaries an operator has planted."""
        return (*filter(_is_telling, self.secrets), *(canary.get_secret_value() for canary in self.canaries))

    @property
    def lake(self) -> Path:
        """Folder of the analysts' Parquet files."""
        return self.home / "lake"

    @property
    def deliverables(self) -> Path:
        """Folder the file channel publishes to."""
        return self.home / "deliverables"

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
    def solution_window(self) -> timedelta:
        """The rolling window of the solution throttle."""
        return timedelta(seconds=self.solution_window_s)

    @property
    def hold(self) -> timedelta:
        """How long a batch is held that met an outage, before it tries again."""
        return timedelta(seconds=self.hold_s)

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

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then `penstock.toml` in the home that these two name."""
        del dotenv_settings, file_secret_settings
        home = init_settings().get("home") or os.environ.get("PENSTOCK_HOME") or default_home()
        path = Path(home) / "penstock.toml"
        try:
            return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, path)
        except (OSError, ValueError) as error:
            raise SettingsError(f"{path} cannot be read as TOML: {error}") from error


def load_settings() -> Settings:
    """The settings in force; `SettingsError` names the first wrong one and what it allows."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise SettingsError(
            f"{_setting(first['loc'])}{first['msg'].removeprefix('Value error, ')}"
        ) from error
    except SourceError as error:
        # `error parsing value for field "batching" from source ...` is all it tells.
        name = str(error).split('"')[1]
        raise SettingsError(
            f"PENSTOCK_{name.upper()}: Input should be JSON, such as [1, 5, 25] ({error.__cause__})"
        ) from error


def _setting(location: tuple[int | str, ...]) -> str:
    """`PENSTOCK_BATCHING__MAX_EVENTS: `, as the operator writes it; empty for what concerns several settings."""
    if not location:
        return ""
    name = "__".join(str(part) for part in location).upper()
    return f"{name}: " if name.startswith(("ANTHROPIC_", "PREFECT_")) else f"PENSTOCK_{name}: "
