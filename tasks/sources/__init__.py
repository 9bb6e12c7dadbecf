"""Sources: from files and standard input to events in the ledger.

`read` turns bytes into raw records, `mapper` turns a record into an `Event` by the declared mapping, `intake`
records both events and rejections. Nothing here calls a model, and nothing is lost: what cannot be an event
is a rejection with file, line, reason and text.
"""
