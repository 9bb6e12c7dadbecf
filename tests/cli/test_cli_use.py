"""The command line itself: help, mistakes, exit codes, and what it loads."""

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from contracts.errors import OperatorError
from flywheel.errors import LakeNotFoundError
from gateway.cli.demo import command_name
from gateway.cli.errors import ExitCode, OutOfReachError, exit_code
from gateway.cli.output import counted, printable, shown, usd
from gateway.cli.progress import described
from ledger.errors import LedgerUnavailableError

PURPOSES = {
    "demo": "Run the main job over the sample events",
    "up": "Run everything until Ctrl-C",
    "down": "Stop the services",
    "deploy": "Make a Prefect server show Penstock",
    "ingest": "Take events in",
    "consume": "Take events in from SQS queues",
    "serve": "Serve the HTTP gateway",
    "keys make": "Make a key of a tenant",
    "keys list": "List the keys",
    "keys revoke": "Let nobody in by a key",
    "route test": "Explain which route decides",
    "targets add": "Send what is committed from now on there, too",
    "targets list": "List the subscriptions",
    "targets end": "Send nothing there any more",
    "run": "Form the batches that are due and process what is ready",
    "status": "Show where everything stands",
    "show": "Print a deliverable",
    "costs": "Show what the model calls cost",
    "report": "Write the report page",
    "doctor": "Check everything a run needs",
    "review draw": "Draw items for review",
    "review next": "Show what was drawn",
    "review give": "Say what is to become of an item",
    "review import": "Take in reviews from a CSV file",
    "review judge": "Say how good the judge is",
    "attachments take": "Take in the files that SQS queues tell of",
    "attachments list": "List the attachments",
    "attachments show": "Show one attachment",
    "dlq list": "List the dead letters",
    "dlq show": "Show one dead letter",
}
HEAVY = {"prefect", "polars", "duckdb", "anthropic", "sqlalchemy", "pydantic", "rich"}


def test_help_lists_every_command_on_one_line_and_the_exit_codes(bare):
    """The first thing an operator reads is complete and fits 80 columns."""
    text = bare("--help", code=0).stdout
    for command in PURPOSES:
        assert f"\n  {command.split()[0]} " in text
    assert "..." not in text.split("Commands:")[1]
    assert "Exit codes: 0 done" in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("command", PURPOSES)
def test_every_command_explains_itself_and_offers_json(bare, command):
    """`--help` of each command says what it is for."""
    text = bare(*command.split(), "--help", code=0).stdout
    assert PURPOSES[command] in text
    assert "--json" in text


def test_help_loads_nothing_heavy(bare):
    """`--help` is quick because it imports no library of the work behind it."""
    code = (
        "import sys, json; sys.argv = ['penstock', '--help']\n"
        "from gateway.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "sys.stderr.write(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=bare.everything, capture_output=True, text=True, check=True
    )
    assert not HEAVY & set(json.loads(done.stderr))


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["runn"], "No such command 'runn'. Did you mean 'run'?"),
        (["run", "--until-idel"], "No such option: --until-idel"),
        (["ingest"], "Missing argument"),
        (["show", "a", "b"], "unexpected extra argument"),
        (["dlq", "burn"], "No such command 'burn'"),
    ],
)
def test_a_mistyped_command_is_one_clear_message_and_exit_code_2(bare, command, said):
    """The message names the mistake and where help is."""
    done = bare(*command, code=2)
    assert done.stdout == ""
    assert done.stderr.count("Error: ") == 1
    assert said in done.stderr
    assert "--help" in done.stderr


def test_no_command_is_the_help(bare):
    """`penstock` alone says what there is."""
    assert "Commands:" in bare(code=2).stderr


def test_a_wrong_setting_is_one_line_that_names_it(bare):
    """A wrong setting is found by its name, whatever the command."""
    said = bare.given(PENSTOCK_LEASE_S="soon").complaint("status", code=2)
    assert "PENSTOCK_LEASE_S" in said


def test_a_newer_ledger_is_left_alone_with_exit_code_3(bare):
    """A database that a newer version wrote is neither read nor changed."""
    bare("status", code=0)
    with sqlite3.connect(bare.home / "ledger.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999_newer'")
    database.close()
    assert "newer" in bare.complaint("status", code=3)
    (finding,) = [one for one in bare.json("doctor", code=1)["checks"] if one["check"] == "database"]
    assert "run the newer version" in finding["to_do"]


def test_a_database_out_of_reach_is_exit_code_3_before_anything_is_started(bare, closed_port):
    """A dead database is one line, hides its password, and leaves no service behind."""
    dead = bare.given(PENSTOCK_DATABASE_URL=f"postgresql://me:sesame@127.0.0.1:{closed_port}/penstock")
    for command in (["ingest", "-"], ["run"]):
        said = dead.complaint(*command, code=3)
        assert "check that the database runs" in said
        assert "sesame" not in said
    assert not (bare.home / "services").exists()


def test_a_fault_of_our_own_is_one_line_and_a_log_under_the_home(bare):
    """What nobody foresaw keeps its traceback where it can be sent from."""
    bare("status", code=0)
    with sqlite3.connect(bare.home / "ledger.db") as database:
        database.execute("DROP TABLE rejections")
    database.close()
    log = bare.home / "logs" / "penstock.log"
    said = bare.complaint("status", code=70)
    assert str(log) in said
    assert "OperationalError" in said
    assert "Traceback" in log.read_text()


def test_a_fault_of_our_own_shows_and_logs_no_secret_and_nothing_that_people_wrote(bare):
    """Neither line nor log holds an event, a rejection or a key, even where the fault's own message has them."""
    bare("status", code=0)
    with sqlite3.connect(bare.home / "ledger.db") as database:
        refuse = "SELECT RAISE(ABORT, 'disk image of sk-canary-provider-0001')"
        database.execute(f"CREATE TRIGGER refuse BEFORE INSERT ON rejections BEGIN {refuse}; END")
    database.close()
    with_key = bare.given(ANTHROPIC_API_KEY="sk-canary-provider-0001")
    said = with_key.complaint("ingest", "-", stdin="no JSON, said Ingrid Falk\n", code=70)
    log = (bare.home / "logs" / "penstock.log").read_text()
    for told in (said, log):
        assert "disk image of" in told
        assert "canary" not in told
        assert "Ingrid" not in told
    assert "Traceback" in log


def test_a_fault_is_still_one_line_where_the_log_cannot_be_written(bare):
    """A log that cannot be written does not hide the fault."""
    bare("status", code=0)
    with sqlite3.connect(bare.home / "ledger.db") as database:
        database.execute("DROP TABLE rejections")
    database.close()
    (bare.home / "logs").touch()
    assert "cannot be written" in bare.complaint("status", code=70)


def test_report_without_a_lake_is_one_line_and_exit_code_2(bare):
    """Where nothing has run there is nothing to report on."""
    assert "lake" in bare.complaint("report", code=2)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OperatorError("wrong"), ExitCode.WRONG_USE),
        (LakeNotFoundError("none"), ExitCode.WRONG_USE),
        (OutOfReachError("no answer"), ExitCode.OUT_OF_REACH),
        (LedgerUnavailableError("no answer"), ExitCode.OUT_OF_REACH),
        (httpx.ConnectError("refused"), ExitCode.OUT_OF_REACH),
        (ZeroDivisionError(), ExitCode.UNEXPECTED),
    ],
)
def test_exit_codes_say_who_has_to_put_it_right(error, code):
    """Wrong use, something out of reach and our own faults have codes of their own."""
    assert exit_code(error) is code


def test_amounts_counts_and_cells_read_well():
    """Figures are grouped, small amounts keep their digits, nothing is empty."""
    assert (usd(0), usd(0.00123), usd(1234.5)) == ("$0.00", "$0.0012", "$1,234.50")
    assert counted({"DONE": 1200, "DEAD": 0}) == "DONE 1,200"
    assert counted({}) == "none"
    assert [str(shown(cell)) for cell in (True, None, 1200, 0.5)] == ["yes", "-", "1,200", "0.50"]
    assert printable("a\x1b[31mb\u202ec\nd") == "a�[31mb�c\nd"


def test_progress_says_how_far_how_many_and_for_how_much():
    """The line of progress is a sentence an operator understands."""
    batches = {"total": 55, "by_state": {"READY": 3, "RUNNING": 40, "DONE": 12}}
    assert described({"batches": batches, "calls": 310, "cost_usd": 0.125}) == (
        "12 of 55 batches, 40 in work, 310 calls, $0.1250"
    )
    assert (
        described({"batches": {"total": 0, "by_state": {}}, "calls": 0, "cost_usd": 0}) == "forming batches"
    )


def test_commands_to_paste_name_the_script_as_it_can_be_called_from_here(tmp_path, monkeypatch):
    """By name where the path finds it, else relative to where the operator is, else by its whole path."""
    script = tmp_path / "bin" / "penstock"
    script.parent.mkdir()
    script.touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    assert command_name(str(script)) == str(Path("bin", "penstock"))
    monkeypatch.chdir(script.parent)
    monkeypatch.setenv("PATH", str(script.parent), prepend=os.pathsep)
    assert command_name(str(script)) == "penstock"
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir("/")
    assert command_name("/elsewhere/penstock") == "elsewhere/penstock"
