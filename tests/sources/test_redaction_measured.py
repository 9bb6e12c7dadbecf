"""What is published of redaction holds: the kinds with a form of their own are found on the measured set."""

import pytest

from benchmarks.redaction import DATA, REPORT, read_rows, tally
from tasks.redaction.finder import load_finder


@pytest.mark.skipif(
    not DATA.is_file(), reason="the shared texts with personal data are not beside this checkout"
)
def test_what_has_a_form_of_its_own_is_found_and_little_else_is_taken():
    """Recall of e-mail, IBAN, IP and SSN is 0.95 at least, of persons and addresses half, precision 0.95."""
    counts = tally(read_rows(), load_finder())
    recall = {kind: counts.covered[kind] / of for kind, of in counts.spans.items()}
    for kind in ("EMAIL_ADDRESS", "IBAN_CODE", "IP_ADDRESS", "US_SSN", "CREDIT_CARD", "PHONE_NUMBER"):
        assert recall[kind] >= 0.95, kind
    assert min(recall["PERSON"], recall["STREET_ADDRESS"]) >= 0.5
    assert counts.right.total() / counts.findings.total() >= 0.95


def test_the_page_is_published_and_says_what_is_not_found():
    """`docs/redaction.md` has a row for each kind that is looked for, and names what is not."""
    page = REPORT.read_text(encoding="utf-8")
    for kind in ("PERSON", "STREET_ADDRESS", "EMAIL_ADDRESS", "GPE (not looked for)"):
        assert f"| {kind} |" in page
