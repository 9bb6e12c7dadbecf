"""What an operator can set, where it is read from, and what is allowed.

Every setting is `PENSTOCK_<NAME>` in the environment (`__` between levels, as in
`PENSTOCK_BATCHING__TENANT__HIGH__THRESHOLD=5`) or the same name in `$PENSTOCK_HOME/penstock.toml`; the
environment wins. The provider's key and address are read from where its own tools read them.
"""

import os
import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from contracts.errors import OperatorError
from tasks.batch_policy import BatchPolicy
from tasks.redaction.installed import what_is_missing

DAY_S = 86_400
SHORTEST_CANARY = 6


def _address(url: str) -> str:
    if not _is_address(url):
        raise ValueError("Input should be an address such as https://host:port/path")
    return url


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False  # A port that is no number, or brackets without their fellows.


def _secret_address(url: SecretStr) -> SecretStr:
    _address(url.get_secret_value())
    return url


Address = Annotated[str, AfterValidator(_address)]
SecretAddress = Annotated[SecretStr, AfterValidator(_secret_address)]
Delay = Annotated[float, Field(ge=0, le=3_600)]
Requests = Annotated[int, Field(ge=1, le=10_000)]
TokensAMinute = Annotated[int, Field(ge=60, le=1_000_000_000)]
SolutionForm = Literal["document", "action_plan", "structured_report"]
PoolType = Literal["warm", "process", "docker", "kubernetes", "ecs"]
Audience = Literal["admin", "team_lead", "end_user"]


_KEY = re.compile(r"([0-9a-fA-F]{2}){16,64}")


class SettingsError(OperatorError):
    """A setting is wrong; the message names it and says what is allowed."""


def default_home() -> Path:
    """`.penstock` in the checkout when run from one, else in the user's home folder."""
    root = Path(__file__).resolve().parents[1]
    return (root if (root / "prefect.yaml").is_file() else Path.home()) / ".penstock"


class TenantLimits(BaseModel):
    """What one tenant may send the gateway, where it is not what all may."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    events_per_s: float | None = Field(None, gt=0)
    body_bytes: int | None = Field(None, ge=1_024)


class SettingFields(BaseSettings):
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
    routes: Path | None = None
    aws_block: str | None = None

    documents: str | None = None
    attachments_to: Annotated[str, Field(pattern=r"^s3://[^/]+(/.*)?$")] | None = None
    attachments_topic: Annotated[str, Field(pattern=r"^arn:[^:]+:sns:")] | None = None
    attachments_denylist: Path | None = None
    attachments_mark: Annotated[str, Field(min_length=1, max_length=100)] = "{tenant}"
    webhook_networks: tuple[IPvAnyNetwork, ...] = ()
    http_events_per_s: float = Field(500.0, gt=0)
    http_body_bytes: int = Field(4 * 2**20, ge=1_024)
    http_body_s: float = Field(30.0, gt=0)
    http_by_tenant: dict[str, TenantLimits] = {}
    metrics_token: SecretStr | None = Field(None, min_length=16)
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
    process_requests_in_flight: int = Field(1_000, ge=1, le=1_000)  # as many connections as the SDK has
    requests_by_model: dict[str, Requests] = {}
    requests_by_tenant: dict[str, Requests] = {}
    tokens_a_minute: dict[str, TokensAMinute] = {}
    batches_in_flight: int = Field(40, ge=1, le=1_000)
    lease_s: float = Field(120, ge=5, le=DAY_S)
    stop_s: float = Field(60, ge=0, le=DAY_S)
    pool: str = Field("penstock", pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    pool_type: PoolType = "warm"
    worker_flow_runs: int = Field(10, ge=1, le=1_000)
    worker_runs: int = Field(2_000, ge=1, le=1_000_000)
    worker_memory_mb: int = Field(2_000, ge=300, le=1_000_000)
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
    notify_url: SecretAddress | None = None

    stuck_after_s: float = Field(900, ge=60, le=DAY_S)
    health_port: int | None = Field(None, ge=1, le=65_535)
    health_address: str = "127.0.0.1"
    otlp_endpoint: Address | None = None
    logs: Literal["quiet", "json"] = "quiet"
    track: Literal["items", "batches"] = "items"

    prefect_api_url: Address | None = Field(None, validation_alias="PREFECT_API_URL")

    @field_validator("documents")
    @classmethod
    def _of_one_tenant(cls, place: str | None) -> str | None:
        fits = place is None or (
            place.startswith("s3://") and place.endswith("/") and place.count("{tenant}") == 1
        )
        if not fits:
            raise ValueError("give a place for each tenant that ends with a slash, as s3://bucket/{tenant}/")
        return place

    @field_validator("attachments_to")
    @classmethod
    def _beside_the_files(cls, place: str | None) -> str | None:
        if place is not None and [*place.split("/"), ""][3] == "attachments":
            raise ValueError("what is made would be told of as an attachment again; name another folder")
        return place

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

    @property
    def solutions_of_a_batch(self) -> int:
        """How many solutions a batch makes at most."""
        return self.top_recommendations * len(self.solution_forms)

    @model_validator(mode="after")
    def _one_batch_fits_the_throttle(self) -> Self:
        wanted = self.solutions_of_a_batch
        if wanted > self.solutions_per_window:
            raise ValueError(
                f"PENSTOCK_SOLUTIONS_PER_WINDOW is {self.solutions_per_window}, but every batch makes {wanted} "
                "solutions: raise it, or lower PENSTOCK_TOP_RECOMMENDATIONS or PENSTOCK_SOLUTION_FORMS"
            )
        return self

    @model_validator(mode="after")
    def _a_breaker_cools_down_no_longer_than_its_longest(self) -> Self:
        if self.breaker_cool_down_s > self.breaker_longest_s:
            raise ValueError(
                f"PENSTOCK_BREAKER_COOL_DOWN_S is {self.breaker_cool_down_s:g}, more than "
                f"PENSTOCK_BREAKER_LONGEST_S, {self.breaker_longest_s:g}: lower the one or raise the other"
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
