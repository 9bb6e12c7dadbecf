"""The finder: Presidio with our recognizers, over text of any length. Imported when redaction is on."""

from collections.abc import Callable, Iterator
from typing import Final

import spacy
from presidio_analyzer import AnalyzerEngine, EntityRecognizer, RecognizerRegistry
from presidio_analyzer import predefined_recognizers as known
from presidio_analyzer.nlp_engine import SpacyNlpEngine
from spacy.language import Language
from spacy.tokens import Doc

from contracts.errors import OperatorError
from tasks.redaction.findings import Finding, named_again
from tasks.redaction.gazetteer import Gazetteer
from tasks.redaction.name_lists import load_gazetteer
from tasks.redaction.patterns import Patterns, load_patterns
from tasks.redaction.recognizers import (
    GivenNameRecognizer,
    LongPhoneRecognizer,
    OfflineEmailRecognizer,
    declared_recognizers,
)

LEAST_SCORE: Final = 0.4
WINDOW_CHARACTERS: Final = 2_000
"""A regular expression over a hostile text takes the square of its length, so long texts are read in windows."""
OVERLAP_CHARACTERS: Final = 300
MODEL_ENTITIES: Final = ("PERSON", "LOCATION")
_LANGUAGE: Final = "en"

Finder = Callable[[str], list[Finding]]


@Language.component("penstock_words")
def _words(doc: Doc) -> Doc:
    """A word is its own lemma: Presidio looks for context in lemmas, which only a trained model gives."""
    for token in doc:
        token.lemma_ = token.lower_
    return doc


class _Engine(SpacyNlpEngine):
    """The tokens of one spaCy pipeline that is there already; Presidio's own engine would download a missing one."""

    def __init__(self, pipeline: Language) -> None:
        super().__init__(models=[{"lang_code": _LANGUAGE, "model_name": "given"}])
        self.nlp = {_LANGUAGE: pipeline}  # type: ignore[assignment] # Presidio declares None and keeps this

    def load(self) -> None:
        """Nothing: the pipeline was loaded before."""


def load_finder(model: str | None = None) -> Finder:
    """Finds what is personal in a text. `model` is an installed spaCy pipeline, or its folder."""
    pipeline = _pipeline(model)
    engine = _Engine(pipeline)
    patterns = load_patterns()
    gazetteer = load_gazetteer(patterns.no_names)
    recognizers = list(_recognizers(patterns, gazetteer))
    entities = sorted({entity for one in recognizers for entity in one.supported_entities})
    registry = RecognizerRegistry(recognizers, supported_languages=[_LANGUAGE])
    if model is not None:
        registry.add_nlp_recognizer(engine)
        entities += MODEL_ENTITIES
    analyzer = AnalyzerEngine(
        registry=registry,
        nlp_engine=engine,
        supported_languages=[_LANGUAGE],
        default_score_threshold=LEAST_SCORE,
    )

    def find(text: str) -> list[Finding]:
        with pipeline.memory_zone():  # else every new word would stay in memory
            found = [
                Finding(start + one.start, start + one.end, one.entity_type, one.score)
                for start, end in windows(text)
                for one in analyzer.analyze(text[start:end], language=_LANGUAGE, entities=entities)
            ]
        return [*found, *named_again(text, found, gazetteer.common)]

    return find


def _pipeline(model: str | None) -> Language:
    if model is not None:
        try:
            return spacy.load(model)
        except (OSError, ValueError) as error:
            raise OperatorError(
                f"PENSTOCK_REDACT_MODEL: {model!r} is no pipeline of spaCy's: {error}"
            ) from error
    pipeline = spacy.blank(_LANGUAGE)
    pipeline.add_pipe("penstock_words")
    return pipeline


def _recognizers(patterns: Patterns, gazetteer: Gazetteer) -> Iterator[EntityRecognizer]:
    yield OfflineEmailRecognizer()
    yield from (make() for make in _KNOWN)
    yield LongPhoneRecognizer(supported_regions=patterns.phone_regions)
    yield GivenNameRecognizer(gazetteer)
    yield from declared_recognizers(patterns.pattern)


_KNOWN: Final[tuple[Callable[[], EntityRecognizer], ...]] = (
    known.CreditCardRecognizer,
    known.CryptoRecognizer,
    known.IbanRecognizer,
    known.IpRecognizer,
    known.MacAddressRecognizer,
    known.UsSsnRecognizer,
    known.UsItinRecognizer,
    known.UsPassportRecognizer,
    known.UsBankRecognizer,
    known.NhsRecognizer,
    known.UkNinoRecognizer,
    known.UkPostcodeRecognizer,
)


def windows(text: str) -> Iterator[tuple[int, int]]:
    """Stretches of a text, the next beginning before the last has ended, cut between words where there are any."""
    start = 0
    while len(text) - start > WINDOW_CHARACTERS:
        end = _gap(text, start + WINDOW_CHARACTERS)
        yield start, end
        start = _gap(text, end - OVERLAP_CHARACTERS)
    yield start, len(text)


def _gap(text: str, before: int) -> int:
    """Just after the last blank in the hundred characters before a place; the place itself where there is none."""
    nearest = max(text.rfind(blank, before - 100, before) for blank in (" ", "\n", "\t"))
    return before if nearest < 0 else nearest + 1
