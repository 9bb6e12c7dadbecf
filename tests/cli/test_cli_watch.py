"""`status --watch`: what happens now, for people and for programs, until Ctrl-C."""

import json
import signal

from gateway.cli import output, watch


def test_programs_get_a_document_a_line_until_ctrl_c(worked):
    """Queues by level and stages with what they measured; stopping it is no error."""
    watching = worked.cli.start("status", "--watch", "--json")
    try:
        found = [json.loads(watching.stdout.readline()) for _ in range(2)]
    finally:
        watching.send_signal(signal.SIGINT)
        _, err = watching.communicate(timeout=60)
    assert watching.returncode == 0, err
    assert [queue["level"] for queue in found[0]["queues"]] == ["HIGH", "MEDIUM", "LOW"]
    assert found[1]["at"] > found[0]["at"]


def test_people_get_tables_that_fit_a_terminal(worked, monkeypatch, capsys):
    """Every stage on a line, in eighty columns."""
    monkeypatch.setenv("PENSTOCK_HOME", str(worked.cli.home))
    monkeypatch.setattr(output.out, "_width", 80)
    monkeypatch.setattr(watch, "WINDOW", watch.WINDOW * 1_000)
    watch.watch_status(as_json=False, times=1)
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    stages = [line.split()[0] for line in shown.splitlines() if line.startswith(("insights", "editorial"))]
    assert stages == ["editorial", "insights"]


def test_a_batch_cannot_be_watched(bare):
    """It is refused by what it would mean."""
    assert "leave the batch out" in bare("status", "b-1", "--watch", code=2).stderr
