"""The model client and its prices: the only room that speaks to the provider."""
