"""Where and when: the Prefect server and its settings, limits, the offline model server, the demo's events."""
