"""The report page's parts: figures in words, plots in numbers, tables and sections as values; the template draws.

Nothing here knows HTML: what a value says is decided here, that it can do no harm by the template's escaping.
"""
