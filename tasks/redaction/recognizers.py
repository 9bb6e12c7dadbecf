"""Recognizers for Presidio that ask nobody: without a network, without a model. Imported when redaction is on."""

import regex
from presidio_analyzer import EntityRecognizer, LocalRecognizer, Pattern, PatternRecognizer, RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts
from presidio_analyzer.predefined_recognizers import EmailRecognizer
from tldextract import TLDExtract

from tasks.redaction.gazetteer import Gazetteer
from tasks.redaction.patterns import Rule


class OfflineEmailRecognizer(EmailRecognizer):
    """E-mail addresses. Presidio's own asks a list of domains that is fetched from the network when first used."""

    def __init__(self) -> None:
        super().__init__(name="EmailRecognizer")
        # The list that comes with the package, and no folder where another process has put a fetched one.
        self._domains = TLDExtract(suffix_list_urls=(), cache_dir=None)

    def validate_result(self, pattern_text: str) -> bool:
        """Whether the domain is one that can be registered."""
        return self._domains(pattern_text).fqdn != ""


class GivenNameRecognizer(LocalRecognizer):
    """Persons by a list of names; two that stand together are surer than one alone."""

    PAIR, ALONE = 0.6, 0.45

    def __init__(self, gazetteer: Gazetteer) -> None:
        super().__init__(supported_entities=["PERSON"], name="GivenNameRecognizer")
        self._gazetteer = gazetteer

    def load(self) -> None:
        """Nothing: the list was loaded before."""

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        """Each name in the text."""
        del entities, nlp_artifacts
        return [
            RecognizerResult("PERSON", start, end, self.PAIR if " " in text[start:end] else self.ALONE)
            for start, end in self._gazetteer.find(text)
        ]


def recognizer(rule: Rule, number: int) -> EntityRecognizer:
    """A declared pattern as a recognizer of its own."""
    name = f"penstock-{number}-{rule.entity.lower()}"
    return PatternRecognizer(
        supported_entity=rule.entity,
        name=name,
        patterns=[Pattern(name, rule.regex, rule.score)],
        context=list(rule.context) or None,
        global_regex_flags=regex.MULTILINE,
    )
