"""The warm worker: flow runs in one long-lived process, which has everything imported and connected.

Prefect imports this package by the entry point `prefect.collections`, its server too: keep it light.
"""

from deployments.warm.worker import WarmWorker

__all__ = ["WarmWorker"]
