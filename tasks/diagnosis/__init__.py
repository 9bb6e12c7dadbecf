"""The debugger: turns any failure into a summary, a root cause, a suggested fix and a ready prompt.

`describe` gathers what is known as redacted text, `debugger` has a model, rules or the trace explain it,
`markdown` shows it. Nothing here raises, and nothing here lets a secret out.
"""
