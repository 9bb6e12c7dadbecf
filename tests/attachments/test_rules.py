"""What an operator says about attachments is as it should be, or refused by name."""

import pytest

from tasks.attachments.rules import AttachmentRules, DenylistError, read_denylist, rules_of
from tasks.settings import Settings
from tests.ledger.conftest import Make

HASH = "ab" * 32


def test_a_denylist_is_as_sha256sum_writes_it(tmp_path):
    """Names and remarks beside the hashes are for readers."""
    path = tmp_path / "denied"
    path.write_text(f"# known spam\n{HASH.upper()}  spam.png\n\n{'cd' * 32} # again\n")
    assert read_denylist(path) == {HASH, "cd" * 32}


@pytest.mark.parametrize(
    ("text", "said"), [("nonsense", "line 1"), (f"{HASH}\n{HASH}0", "line 2"), (b"\xff", "read")]
)
def test_a_denylist_that_is_none_stops_the_start(tmp_path, text, said):
    """A line with a slip in it would let through what it was to keep out."""
    path = tmp_path / "denied"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DenylistError, match=said):
        read_denylist(path)
    with pytest.raises(DenylistError, match="cannot be read"):
        rules_of(Settings(home=tmp_path, attachments_denylist=tmp_path / "gone"))


@pytest.mark.parametrize("place", ["s3://inbox/attachments", "s3://inbox/attachments/made", "inbox", "s3://"])
def test_what_is_made_goes_where_it_is_no_attachment(tmp_path, place):
    """It would be told of, and worked on, for ever."""
    with pytest.raises(ValueError, match="attachments_to"):
        Settings(home=tmp_path, attachments_to=place)


@pytest.mark.parametrize("place", ["s3://results", "s3://results/made", "s3://inbox/attachments-made/"])
def test_any_other_place_will_do(tmp_path, place):
    """With or without a folder."""
    assert rules_of(Settings(home=tmp_path, attachments_to=place)).results == place


def test_a_mark_that_the_font_cannot_write_is_the_files_id():
    """Rather than question marks."""
    rules, make = AttachmentRules(None, None, "for {tenant}", frozenset()), Make()
    assert rules.words(make.attachment(tenant="Zoë")) == "for Zoë"
    file = make.attachment(tenant="東京株式会社")
    assert rules.words(file) == file.id
