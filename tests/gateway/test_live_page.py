"""The page of live news in a real browser: a batch is seen to move through its stages."""

from tests.browser import browser, needs_chromium
from tests.gateway.test_live import work_off

pytestmark = needs_chromium


def listen(tab, door, key, batch=""):
    """Fill in the form and send it."""
    tab.go(f"{door.address}/live")
    tab.run(
        f"document.getElementById('key').value = '{key}'; document.getElementById('batch').value = '{batch}'"
    )
    tab.run("document.querySelector('button').click()")


def test_a_batch_is_seen_from_its_beginning_to_its_end(door, tmp_path):
    """Its stages and its state, as they are told."""
    batch = work_off(door, 1)
    with browser(tmp_path / "profile") as tab:
        listen(tab, door, door.key("acme"), batch)
        tab.until("document.querySelector('section .state')?.textContent === 'DONE'")
        text = tab.run("document.querySelector('section').innerText")
    assert batch in text
    for words in ("ready to running", "insights started", "insights ended", "running to done"):
        assert words in text


def test_what_happens_is_seen_while_it_happens(door, tmp_path):
    """Without a reload, a card for each batch."""
    with browser(tmp_path / "profile") as tab:
        listen(tab, door, door.key("acme"))
        tab.until("document.getElementById('link').textContent === 'listening'")
        batch = work_off(door, 1)
        tab.until(f"document.querySelector('[data-batch=\"{batch}\"] .state')?.textContent === 'DONE'")


def test_who_is_not_let_in_is_told(door, tmp_path):
    """And the page does not try again and again."""
    with browser(tmp_path / "profile") as tab:
        listen(tab, door, "pst_no_body")
        tab.until("document.getElementById('link').textContent === 'the key is not let in'")


def test_the_description_is_readable_where_nothing_else_can_be_reached(door, tmp_path):
    """Its scripts come from the gateway, and from nowhere else."""
    with browser(tmp_path / "profile") as tab:
        tab.go(f"{door.address}/docs")
        tab.until("document.body.innerText.includes('/v1/events')")
        loaded = tab.run("performance.getEntriesByType('resource').map(one => one.name).join(' ')")
    assert loaded
    assert all(one.startswith((door.address, "data:")) for one in loaded.split())
