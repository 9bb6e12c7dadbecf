"""Recognizers for Presidio that ask nobody: without a network, without a model. Imported when redaction is on."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from presidio_analyzer import EntityRecognizer, LocalRecognizer, Pattern, PatternRecognizer, RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts
from presidio_analyzer.predefined_recognizers import EmailRecognizer, PhoneRecognizer
from tldextract import TLDExtract

from tasks.redaction.gazetteer import Gazetteer
from tasks.redaction.patterns import Rule

# The list of domains that comes with the package, no address to fetch another from, and no folder to keep it in.
_DOMAINS: Final = TLDExtract(suffix_list_urls=(), cache_dir=None)


class OfflineEmailRecognizer(EmailRecognizer):
    """E-mail addresses. Presidio's own fetches a list of domains from the network when it is first used."""

    def validate_result(self, pattern_text: str) -> bool:
        """Whether the domain is one that can be registered."""
        return _is_domain(pattern_text)


class DomainRecognizer(PatternRecognizer):
    """What looks like an address on the web, where its domain can be registered."""

    def validate_result(self, pattern_text: str) -> bool:
        """Whether the domain is one that can be registered."""
        return _is_domain(pattern_text)


def _is_domain(text: str) -> bool:
    return _DOMAINS(text).fqdn != ""


class LongPhoneRecognizer(PhoneRecognizer):
    """Telephone numbers of some countries; those of a few digits, which are mostly other numbers, left out."""

    LEAST_DIGITS = 7

    def analyze(
        self,
        text: str,
        entities: list[str],
        nlp_artifacts: NlpArtifacts = None,  # type: ignore[assignment] # so does Presidio
    ) -> list[RecognizerResult]:
        """Each number in the text."""
        if sum(map(str.isdigit, text)) < self.LEAST_DIGITS:
            return []
        found = super().analyze(text, entities, nlp_artifacts)
        return [one for one in found if sum(map(str.isdigit, text[one.start : one.end])) >= self.LEAST_DIGITS]


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


def declared_recognizers(rules: Iterable[Rule]) -> Iterator[EntityRecognizer]:
    """The declared patterns; those that differ only in their expression share one, for each costs time on each text."""
    alike: dict[tuple[str, tuple[str, ...], str | None], list[Pattern]] = {}
    for number, rule in enumerate(rules):
        pattern = Pattern(f"penstock-{number}", rule.regex, rule.score)
        alike.setdefault((rule.entity, rule.context, rule.check), []).append(pattern)
    for (entity, context, check), patterns in alike.items():
        kind = DomainRecognizer if check == "domain" else PatternRecognizer
        yield kind(
            supported_entity=entity,
            name=patterns[0].name,
            patterns=patterns,
            context=list(context),
            global_regex_flags=re.MULTILINE,
        )
