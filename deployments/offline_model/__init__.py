"""The offline model: an HTTP server on loopback that speaks the Messages API and answers by extraction.

The pipeline has one path to a model, the provider's SDK; this server is what its base URL points to where no
key is set. It calls itself `offline-extractive`, costs nothing, uses no randomness and never passes for a
language model: every answer quotes and counts what the request shows. It also acts out, on request, the ways
a provider fails (see `plays`), for rehearsals and tests.
"""
