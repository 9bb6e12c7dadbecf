"""Secrets that bodies are signed with, as Standard Webhooks writes them."""

import secrets
from base64 import b64encode
from typing import Final

SECRET_BYTES: Final = 32


def new_signing_secret() -> str:
    """A random one: `whsec_` and base64."""
    return f"whsec_{b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"
