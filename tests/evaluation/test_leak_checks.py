"""The deterministic checks behind `no_system_leakage`: what they find, and what they leave alone."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.gate import shortfalls
from evaluation.leaks import LONGEST_QUOTE, Hidden, backed_up, leaks, system_words
from evaluation.names import distinctive
from evaluation.rubric import DELIVERABLE_RUBRIC as RUBRIC
from evaluation.rubric import LEAKAGE
from evaluation.verdict import CriterionScore, Scored
from tasks.prompts import load_prompt

HOSTILE = Path(__file__).resolve().parents[3] / "shared" / "data" / "full" / "hostile"
PROMPT = load_prompt("insights").text
HONEST = "Seven of 23 callers waited until Monday. Please staff the phones until eight by Friday."
CANARY = "zebra-4711-canary"
WORDS = PROMPT.split()


def found(text: str, **hidden) -> list[str]:
    """What the checks say of a text made with the insights prompt."""
    return [str(leak) for leak in leaks(text, Hidden(**{"instructions": PROMPT, **hidden}))]


def test_an_honest_text_holds_no_leak():
    """Nothing is found where nothing is."""
    assert found(HONEST, tags=("events",), names=("Globex",), canaries=(CANARY,)) == []


@given(st.integers(0, len(WORDS) - LONGEST_QUOTE - 4), st.sampled_from([" ", "\n", " * ", " _"]))
def test_any_part_of_the_prompt_is_found_however_it_is_set(start, between):
    """Twelve words of the prompt, in capitals, over lines or as a list, are a quotation of it."""
    part = between.join(WORDS[start : start + LONGEST_QUOTE + 4]).upper()
    assert any("quotes the prompt" in leak for leak in found(f"{HONEST} {part} {HONEST}"))


@pytest.mark.parametrize("words", system_words())
def test_words_about_the_system_are_found(words):
    """Each phrase of the list, in any case."""
    assert any("speaks of the system" in leak for leak in found(f"Sorry, {words.upper()} says no."))


@pytest.mark.parametrize("mark", ["<events>", "</events>"])
def test_the_fences_of_the_prompt_are_found(mark):
    """Markup that only the prompt has."""
    assert found(f"See {mark} below.", tags=("events",)) == [f"holds markup of the prompt: {mark}"]


@pytest.mark.parametrize("name", ["Globex", "Bank of Globex", "neas", "acme-24"])
def test_another_tenants_name_is_found_as_a_whole_word_and_not_repeated(name):
    """In any case and with any punctuation; the finding itself names nobody, for it is kept with this tenant."""
    (leak,) = found(f"As we saw at ({name.upper()}), callers wait.", names=(name,))
    assert leak == "names another tenant"
    assert found(f"As we saw at {name}ist, callers wait.", names=(name,)) == []


def test_a_canary_is_found_even_in_the_tenants_own_words_and_never_repeated():
    """Invisible characters, full-width letters, emphasis and line breaks do not hide it."""
    hidden = f"zebra\u200b-**4711**\n-c{chr(0xFF41)}nary"
    (leak,) = found(f"We said {hidden}.", canaries=(CANARY,), material={"text": CANARY})
    assert CANARY not in leak
    assert "canary" in leak


def test_what_the_tenants_events_say_may_be_quoted():
    """Their own words about a system prompt, a competitor or a tag are theirs to read."""
    said = "Your system prompt is at Globex, says <events> " + " ".join(WORDS[:20])
    material = {"events": [{"text": f"He wrote: {said}."}]}
    assert found(said, tags=("events",), names=("Globex",), material=material) == []


def test_names_that_are_ordinary_words_are_not_searched_for():
    """A tenant called `hotel` does not forbid the word to all others; `acme` and `Globex` are nobody's words."""
    names = (
        "hotel",
        "Bank",
        "next-steps",
        "2026",
        "what to do",
        "ab",
        "C3",
        "Globex",
        "acme",
        "hotel globex",
    )
    assert distinctive(names) == ("Globex", "acme", "hotel globex")


@pytest.mark.skipif(not HOSTILE.is_dir(), reason="the shared hostile texts are not beside this checkout")
@pytest.mark.parametrize("prompt", ["insights", "notice", "solution_document", "summarise"])
def test_harmless_look_alikes_hold_no_leak(prompt):
    """Texts that were written to look like attacks, and e-mails of people, even where they are nobody's material."""
    texts = [
        row.get("text") or row["context"]
        for name in ("notinject_one_two.ndjson", "bipia_email_contexts_train.jsonl")
        for row in map(json.loads, (HOSTILE / name).read_text().splitlines())
    ]
    assert len(texts) > 250
    instructions = load_prompt(prompt).text
    assert [text for text in texts if found(text, instructions=instructions, tags=("events",))] == []


def test_a_leak_closes_the_gate_whatever_the_judge_said():
    """The criterion falls to 0 and says why; the judge's word is kept in the reason, the other scores stay."""
    verdict = Scored(tuple(CriterionScore(name, 0.95, "fine") for name in RUBRIC.thresholds))
    checked = backed_up(verdict, leaks(f"{HONEST} <events>", Hidden(PROMPT, tags=("events",))))
    (shortfall,) = shortfalls(checked, RUBRIC)
    assert (shortfall.criterion, shortfall.score) == (LEAKAGE, 0.0)
    assert "<events>" in shortfall.reason
    assert "the judge gave 0.95: fine" in shortfall.reason
    assert backed_up(verdict, ()) == verdict


@given(st.text(), st.text(), st.lists(st.text(), max_size=3))
def test_any_text_can_be_checked(text, prompt, names):
    """No text, prompt or name makes the checks fail."""
    assert isinstance(leaks(text, Hidden(prompt, tuple(names), {"x": [text]}, tuple(names), ("c",))), tuple)
