"""Does the model's address answer, and does it take the key? Asked before work begins, and by `doctor`."""

import asyncio

from gateway.cli.errors import OutOfReachError
from tasks.model.client import ModelCallError, ModelClient
from tasks.model.prices import load_prices
from tasks.setting_fields import SettingsError
from tasks.settings import Settings

UNREACHABLE = frozenset({"APIConnectionError", "APITimeoutError"})
REFUSED = frozenset({"AuthenticationError", "PermissionDeniedError"})


def check_model(settings: Settings) -> None:
    """Nobody should find out from a thousand dead letters that the address or the key is wrong.

    Other answers are left to the work itself: not every gateway to a model lists its models.

    Raises:
        OutOfReachError: nothing answers.
        SettingsError: the key is refused.
    """
    try:
        list_models(settings)
    except ModelCallError as error:
        if error.failure.error in UNREACHABLE:
            raise OutOfReachError(
                f"the model does not answer: {error}; check the network and {_address_setting(settings)}"
            ) from error
        if error.failure.error in REFUSED:
            raise SettingsError(f"the model refuses the key: {error}; correct ANTHROPIC_API_KEY") from error


def list_models(settings: Settings) -> list[str]:
    """The names of models that the provider, or the offline model, offers; ModelCallError when it does not."""
    client = client_of(settings)

    async def ask() -> list[str]:
        async with client:
            return list((await client.reachable())["models"])

    return asyncio.run(ask())


def client_of(settings: Settings) -> ModelClient:
    """A client for a single question."""
    key = settings.anthropic_api_key
    return ModelClient(
        api_key=key.get_secret_value() if key else "offline",
        base_url=settings.offline_url if settings.is_offline else settings.anthropic_base_url,
        timeout_s=settings.request_timeout_s,
        max_in_flight=1,
        prices=load_prices(settings.prices),
    )


def _address_setting(settings: Settings) -> str:
    return "PENSTOCK_OFFLINE_URL" if settings.is_offline else "ANTHROPIC_BASE_URL"
