"""The HTTP gateway: events in, what became of them, and news of them while it happens."""
