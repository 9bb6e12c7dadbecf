"""What crosses a wire: events, batches, generated content, deliverables.

Frozen, strict, versioned values. This package imports nothing of ours; every other room may import it.
"""
