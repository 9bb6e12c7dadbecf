"""The base of every contract: frozen, strict, closed to unknown fields."""

from pydantic import BaseModel, ConfigDict


class Contract(BaseModel):
    """A value that crosses a wire.

    Frozen so that it may be shared, strict so that a string never becomes a number by accident, and closed
    so that a field nobody knows is an error and not a loss.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")
