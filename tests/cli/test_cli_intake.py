"""`penstock ingest`: what it counts, what it refuses, and in which words."""

import pytest


def test_counts_have_exactly_four_keys_and_standard_output_is_nothing_but_json(cli, lines_of):
    """A program can read what `ingest --json -` prints."""
    counts = cli.json("ingest", "-", stdin=lines_of("acme", 3))
    assert counts == {"read": 3, "accepted": 3, "duplicates": 0, "rejected": 0}


def test_the_same_file_again_is_all_duplicates(cli, lines_of, tmp_path):
    """A file that is ingested twice gives its events once."""
    path = tmp_path / "events.ndjson"
    path.write_text(lines_of("acme", 3))
    cli("ingest", path, code=0)
    assert cli.json("ingest", path) == {"read": 3, "accepted": 0, "duplicates": 3, "rejected": 0}
    assert cli.json("status")["events"] == {"accepted": 3, "duplicates": 3, "rejected": 0}


def test_rejections_stop_nothing_and_are_shown_with_file_line_and_reason(cli, lines_of, tmp_path):
    """A bad line is kept, counted, and found again in `status`."""
    path = tmp_path / "events.ndjson"
    path.write_text("not JSON\n" + lines_of("acme", 2))
    assert cli.json("ingest", path) == {"read": 3, "accepted": 2, "duplicates": 0, "rejected": 1}
    shown = cli("status", code=0).stdout
    assert "events.ndjson" in shown
    assert "not valid JSON" in shown


def test_a_folder_is_read_whole_and_what_is_no_events_file_is_named_on_standard_error(
    cli, lines_of, tmp_path
):
    """Folders are walked; what is left aside is said, and not on standard output."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.ndjson").write_text(lines_of("acme", 1))
    (tmp_path / "in" / "notes.txt").write_text("no events")
    done = cli("ingest", tmp_path / "in", code=0)
    assert "accepted    1" in done.stdout
    assert f"skipped {tmp_path / 'in' / 'notes.txt'}" in done.stderr


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("absent.ndjson", "absent.ndjson does not exist"),
        ("events.docx", "events.docx is not a known format"),
        ("empty", "holds no file that is read"),
    ],
)
def test_a_path_that_cannot_be_read_is_one_line_and_exit_code_2(cli, tmp_path, name, said):
    """A missing file, an unknown kind of file and a folder without files are the operator's to correct."""
    (tmp_path / "events.docx").touch()
    (tmp_path / "empty").mkdir()
    assert said in cli.complaint("ingest", tmp_path / name, code=2)


@pytest.mark.parametrize("content", [None, "kinds = 3", "no TOML ["])
def test_a_mapping_that_cannot_be_used_is_one_line_and_exit_code_2(cli, tmp_path, content):
    """A mapping that is absent, wrong or no TOML is named."""
    path = tmp_path / "mapping.toml"
    if content:
        path.write_text(content)
    assert str(path) in cli.given(PENSTOCK_MAPPING=str(path)).complaint("ingest", "-", code=2)
