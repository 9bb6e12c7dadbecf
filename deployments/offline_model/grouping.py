"""Grouping what was read: by theme, by topic, by praise, with the figures of each group. Pure.

A group is what an insight is about; later stages find it again by its label in an earlier result's text.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from deployments.offline_model.lexicon import OTHER, PRAISE, THEME_WORDS, Theme
from deployments.offline_model.reading import Reading, quote_of, words_in

MOST_GROUPS: Final = 5
MANY_EVENTS: Final = 6
MOST_NAMES: Final = 4
NEARLY_ALL: Final = 0.8


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts over some events: `rating` is the mean of the `rated` ones as given, dates are ISO and inclusive."""

    count: int
    high: int
    alerts: int
    negative: int
    praise: int
    rated: int
    rating: float | None
    first: str | None
    last: str | None


@dataclass(frozen=True, slots=True)
class Group:
    """Events that say one thing: its `label`, the theme that answers it, its figures and its share of all."""

    label: str
    theme: Theme
    readings: tuple[Reading, ...]
    figures: Figures
    share: float
    severity: str
    phrases: tuple[tuple[str, int], ...]

    @property
    def focus(self) -> str:
        """What to look at first: the pair of words named most often, else the topic, else the label.

        Groups that are a topic are looked at by it: the phrases may be the whole batch's.
        """
        if any(name == self.label for name, _ in self.topics):
            return self.label
        pairs = [f'"{phrase}"' for phrase, _ in self.phrases if " " in phrase]
        return (pairs or [name for name, _ in self.topics] or [self.label])[0]

    @property
    def is_praise(self) -> bool:
        """Whether this is the praise."""
        return self.theme is PRAISE

    @property
    def topics(self) -> tuple[tuple[str, int], ...]:
        """The topics of its events with counts, most frequent first."""
        topics = Counter(reading.event.topic for reading in self.readings if reading.event.topic)
        return tuple(sorted(topics.items(), key=lambda item: (-item[1], item[0])))

    @property
    def identifiers(self) -> tuple[str, ...]:
        """What the events name by identifier, most often named first."""
        named = Counter(name for reading in self.readings for name in reading.identifiers)
        return tuple(sorted(named, key=lambda name: (-named[name], name)))

    @property
    def ids(self) -> str:
        """Up to four identifiers in words; the topics where the events name none."""
        names = self.identifiers or tuple(name for name, _ in self.topics) or (self.label,)
        more = len(names) - MOST_NAMES
        return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")

    def fill(self, template: str) -> str:
        """A theme's template with its slots filled from this group's events."""
        return template.replace("{focus}", self.focus).replace("{ids}", self.ids)

    def quotes(self, limit: int) -> tuple[tuple[int, str], ...]:
        """Up to `limit` pairs of event number and verbatim quote, one an event, the most telling first."""
        telling = frozenset(word for phrase, _ in self.phrases for word in phrase.split())
        said = [(reading.event.n, quote_of(reading, telling)) for reading in self.readings]
        fresh = {quote: n for n, quote in reversed(said)}
        ranked = sorted(fresh.items(), key=lambda item: (-_telling(item[0]), item[1]))
        return tuple((n, quote) for quote, n in ranked[:limit])


def _telling(quote: str) -> float:
    words = words_in(quote)
    return min(len(words), 25) + 2.0 * sum(word in THEME_WORDS for word in words) - 4.0 * quote.count("XX")


def figures_of(readings: Iterable[Reading]) -> Figures:
    """The figures of some events; dates and ratings over those that have them."""
    read = tuple(readings)
    ratings = [reading.event.rating for reading in read if reading.event.rating is not None]
    days = sorted(reading.event.when for reading in read if reading.event.when is not None)
    return Figures(
        count=len(read),
        high=sum(reading.event.priority == "HIGH" for reading in read),
        alerts=sum(reading.is_alert for reading in read),
        negative=sum(reading.is_negative for reading in read),
        praise=sum(reading.is_praise for reading in read),
        rated=len(ratings),
        rating=round(sum(ratings) / len(ratings), 2) if ratings else None,
        first=days[0] if days else None,
        last=days[-1] if days else None,
    )


def phrases_of(readings: tuple[Reading, ...], ignored: frozenset[str]) -> tuple[tuple[str, int], ...]:
    """Up to three terms named in two events or more, with how many: pairs before words, frequent first.

    Terms with an `ignored` word, such as the tenant's own name, say nothing and are left out.
    """
    named = Counter(term for reading in readings for term in reading.terms)
    often = [(term, count) for term, count in named.items() if count > 1]
    often.sort(key=lambda item: (-item[1] * (2 if " " in item[0] else 1), item[0]))
    chosen: list[tuple[str, int]] = []
    taken = set(ignored)
    for term, count in often[:40]:
        if taken.isdisjoint(term.split()):
            chosen.append((term, count))
            taken.update(term.split())
    return tuple(chosen[:3])


def severity_of(figures: Figures, share: float) -> str:
    """high, medium or low by share of the events, complaint and priority; praise is low."""
    if figures.praise == figures.count:
        return "low"
    weight = share + 0.5 * figures.negative / figures.count + 0.5 * figures.high / figures.count
    return "high" if weight >= 0.9 else "medium" if weight >= 0.4 else "low"  # noqa: PLR2004 - the two borders


def _group(
    theme: Theme, label: str, readings: tuple[Reading, ...], total: int, ignored: frozenset[str]
) -> Group:
    figures = figures_of(readings)
    share = figures.count / total
    severity = severity_of(figures, share)
    return Group(label, theme, readings, figures, share, severity, phrases_of(readings, ignored))


def _subject(reading: Reading) -> tuple[Theme, str]:
    """Which group an event belongs to: praise, its theme, or else its topic in the source's own words."""
    if reading.is_praise:
        return PRAISE, PRAISE.label
    if reading.theme is not None:
        return reading.theme, reading.theme.label
    label = reading.event.topic or OTHER.label
    return replace(OTHER, title=f"{OTHER.title} {label}"), label


def _weight(group: Group) -> tuple[float, str]:
    count, figures = group.figures.count, group.figures
    heavy = count + figures.negative + 2 * figures.high
    return (-count / 4 if group.is_praise else -heavy, group.label)


@lru_cache(maxsize=64)
def groups_of(readings: tuple[Reading, ...], ignored: frozenset[str]) -> tuple[Group, ...]:
    """At most five groups, weightiest first; single events are left out where there are many and others."""
    members: dict[str, tuple[Theme, list[Reading]]] = {}
    for reading in readings:
        theme, label = _subject(reading)
        members.setdefault(label, (theme, []))[1].append(reading)
    found = [
        _group(theme, label, tuple(group), len(readings), ignored)
        for label, (theme, group) in members.items()
    ]
    found.sort(key=_weight)
    if not found:
        return ()
    repeated = [group for group in found if group.figures.count > 1]
    thinned = repeated if len(readings) >= MANY_EVENTS and len(repeated) > 1 else found
    whole = thinned[0]
    if len(readings) >= MANY_EVENTS and whole.share >= NEARLY_ALL:
        thinned[1:1] = _by_topic(whole, len(readings), ignored)
    return tuple(thinned[:MOST_GROUPS])


def _by_topic(whole: Group, total: int, ignored: frozenset[str]) -> list[Group]:
    """The topics inside a group that is nearly everything, three at most: what it alone would not tell apart."""
    parts = [
        (name, count)
        for name, count in whole.topics
        if 1 < count < whole.figures.count and name != whole.label
    ]
    return [
        _group(
            replace(whole.theme, title=f"{whole.theme.title}: {name}"),
            name,
            tuple(reading for reading in whole.readings if reading.event.topic == name),
            total,
            ignored,
        )
        for name, _ in parts[:3]
    ]


def group_named(groups: tuple[Group, ...], *texts: str) -> Group | None:
    """The group whose label or title stands first (the longest of several) in the first text that has one.

    Without any it is the first group; None for no groups.
    """
    for text in texts:
        lowered = text.lower()
        places = [
            (place, -len(name), index)
            for index, group in enumerate(groups)
            for name in (group.theme.title, group.label)
            if (place := lowered.find(name.lower())) >= 0
        ]
        if places:
            return groups[min(places)[2]]
    return groups[0] if groups else None
