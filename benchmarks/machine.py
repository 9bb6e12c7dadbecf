"""Where figures are taken, and how fast the machine was just then: a shared one may halve its pace at any time."""

import platform
import statistics
import time
from typing import Any

import psutil

STEPS = 1_000_000
RUNS = 5


def machine() -> dict[str, Any]:
    """Processor, cores, memory and versions."""
    return {
        "cpu": _cpu_name(),
        "cores": psutil.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
        "system": platform.platform(),
    }


def pace_ms() -> float:
    """Milliseconds of CPU that a million steps of plain Python take now.

    Figures in seconds can be compared only between runs whose pace is the same; ratios need none.
    """
    return round(statistics.median(_loop_s() for _ in range(RUNS)) * 1000, 1)


def _loop_s() -> float:
    started, total = time.process_time(), 0
    for number in range(STEPS):
        total += number * number
    return time.process_time() - started


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123 - a file of the kernel's
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
