from benchmarks.batching import run


def test_the_benchmark_reports_time_memory_and_batches():
    """A small run in a process of its own gives the documented figures."""
    result = run(events=2_000, runs=1)
    assert set(result) == {"events", "seconds", "peak_rss_mb", "batches"}
    assert result["events"] == 2_000
    assert result["batches"] > 0
