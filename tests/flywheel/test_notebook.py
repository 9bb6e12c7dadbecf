import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import polars as pl
import pytest
from scipy.stats import binomtest

import flywheel

NOTEBOOK = Path(flywheel.__file__).parent / "notebooks" / "quality.ipynb"

# In a process of its own: Jupyter's client leaves sockets and warnings behind that are not the notebook's.
# With no folder of kernels to look in, what is left is ipykernel's own, which runs this interpreter.
EXECUTE = """
import sys
import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

source, target = sys.argv[1:]
notebook = nbformat.read(source, as_version=4)
specs = KernelSpecManager(kernel_dirs=[], ensure_native_kernel=True)
assert specs.get_kernel_spec("python3").argv[0] == sys.executable
manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=specs)
NotebookClient(notebook, km=manager, timeout=120).execute()
nbformat.write(notebook, target)
"""


@pytest.fixture
def run(tmp_path):
    """Executes the notebook on a home, in a kernel of this interpreter; gives it back with its outputs."""

    def execute(home):
        target = tmp_path / "executed.ipynb"
        places = {"IPYTHONDIR": tmp_path / "ipython", "JUPYTER_RUNTIME_DIR": tmp_path / "runtime"}
        environment = os.environ | {"PENSTOCK_HOME": str(home)} | {name: str(p) for name, p in places.items()}
        command = [sys.executable, "-c", EXECUTE, str(NOTEBOOK), str(target)]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240, check=False
        )
        assert done.returncode == 0, done.stderr
        return nbformat.read(target, as_version=4)

    return execute


def cell_about(notebook, code):
    """The one code cell that contains `code`."""
    (cell,) = [cell for cell in notebook.cells if cell.cell_type == "code" and code in cell.source]
    return cell


def charted(notebook, code):
    """The rows behind the chart of a cell, and the chart's specification."""
    pages = [output.data["text/html"] for output in cell_about(notebook, code).outputs if "data" in output]
    (page,) = [page for page in pages if "vega-lite" in page]
    spec, _ = json.JSONDecoder().raw_decode(page[page.index('{"config"') :])
    (rows,) = spec["datasets"].values()
    return rows, spec


def printed(notebook):
    """Everything the notebook printed."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "".join(output.text for output in outputs if output.output_type == "stream")


def test_the_notebook_is_kept_without_outputs():
    """What is in the repository is valid, was never run, and explains every step in words."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.outputs for cell in code] == [[]] * len(code)
    assert [cell.execution_count for cell in code] == [None] * len(code)
    assert notebook.cells[0].cell_type == "markdown"


def test_the_notebook_shows_the_lakes_figures(run, lake, facts):
    """Run headless it makes no error, and rates, intervals, counts and costs equal those computed here."""
    notebook = run(lake.parent)
    judged = facts["generations"].filter(pl.col("verdict") != "UNSCORED")
    stages, spec = charted(notebook, "by_stage =")
    for row in stages:
        verdicts = judged.filter(stage=row["stage"])["verdict"]
        passed = (verdicts == "PASSED").sum()
        interval = binomtest(int(passed), len(verdicts)).proportion_ci(method="wilson")
        found = [row[name] for name in ("n_scored", "pass_rate", "pass_rate_low", "pass_rate_high")]
        assert found == pytest.approx([len(verdicts), passed / len(verdicts), interval.low, interval.high])
    assert [row["stage"] for row in stages] == sorted(facts["generations"]["stage"].unique())
    assert [layer["mark"]["type"] for layer in spec["layer"]] == ["errorbar", "point"]
    assert spec["layer"][0]["encoding"]["x"]["title"] == "pass rate, 95 % interval"

    criteria, _ = charted(notebook, "by_criterion =")
    means = facts["judgements"].group_by("criterion").agg(pl.col("score").mean()).sort("criterion")
    assert [row["mean_score"] for row in criteria] == pytest.approx(means["score"].to_list())

    days, _ = charted(notebook, "by_day =")
    assert [row["n_scored"] for row in days] == judged.group_by(pl.col("created_at").dt.date()).len().sort(
        "created_at"
    )["len"].to_list()

    scores, _ = charted(notebook, "scores =")
    assert sum(row["n_judgements"] for row in scores) == facts["judgements"]["score"].count()

    costs, _ = charted(notebook, "cost =")
    assert sum(row["cost_usd"] for row in costs) == pytest.approx(facts["model_calls"]["cost_usd"].sum())


def test_the_notebook_says_so_where_there_is_nothing_yet(run, tmp_path, frame, write):
    """On a lake with one item that nobody has judged it runs through and says that there is no data yet."""
    item = {"batch_id": "b", "item": "i", "created_at": datetime(2024, 5, 1, tzinfo=UTC)}
    write(tmp_path / "lake", {"generations": frame("generations", [item])})
    said = printed(run(tmp_path))
    assert said == "No data yet.\n" * 8
