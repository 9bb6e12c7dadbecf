"""Plain text: what is answered where a request names no schema."""

from deployments.offline_model.answers.phrasing import counted, listed
from deployments.offline_model.reading import cut, sentence_of, sentences_in
from deployments.offline_model.sections import Sections

READ_CHARACTERS = 20_000


def plain_summary(sections: Sections) -> str:
    """The up to three most telling sentences of what was sent, quoted, and how many there were."""
    shown = "\n".join(event.text for event in sections.events) or sections.text
    lines = list(dict.fromkeys(sentences_in(shown[:READ_CHARACTERS])))
    ranked = sorted(lines, key=lambda line: -sentence_of(line).worth)[:3]
    said = listed([f'"{cut(line)}"' for line in ranked])
    return f"I am offline-extractive and answer by quoting. Of {counted(len(lines), 'sentence')}: {said or 'none'}."
