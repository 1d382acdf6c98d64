"""How often and when runs generalise, as a function of the varied settings."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from repjax.report.selection import watched_until
from repjax.report.settings import swept_settings
from repjax.report.story import Story
from repjax.settings.architectures import ARCHITECTURES, concerns
from repjax.statistics.intervals import Share, share
from repjax.statistics.survival import Survival, survival


@dataclass(frozen=True)
class Point:
    """The runs of one group and architecture at some values of the swept keys.

    Attributes:
        group: name of the group.
        architecture: architecture of the networks.
        values: text of the value of each key.
        generalised: runs that generalised.
        survival: when runs generalised; None if no training was measured.
    """

    group: str
    architecture: str
    values: tuple[str, ...]
    generalised: Share
    survival: Survival | None

    @property
    def line(self) -> str:
        """Group and architecture, shared by the points of one line or panel."""
        return f"{self.group} {ARCHITECTURES[self.architecture].title}"


@dataclass(frozen=True)
class Sweep:
    """Points over one key or two; runs that differ in other keys are pooled.

    Attributes:
        keys: dotted keys.
        points: by group, architecture and values.
        pooled: swept keys that are not in `keys`.
    """

    keys: tuple[str, ...]
    points: tuple[Point, ...]
    pooled: tuple[str, ...]


def varied_keys(stories: Sequence[Story]) -> tuple[str, ...]:
    """Return the dotted keys of swept settings that take at least two values.

    Imported networks, whose training was not measured, are ignored.
    """
    trained = [story for story in stories if not story.imported]
    swept = swept_settings([story.results for story in trained])
    return tuple(
        key
        for i, key in enumerate(swept.keys)
        if len({values[i] for values in swept.values} - {""}) > 1
    )


def sweeps(stories: Sequence[Story]) -> list[Sweep]:
    """Return one sweep over the only key, or one over each pair of keys.

    Architectures that some keys do not concern have sweeps of their own.
    """
    varied = varied_keys(stories)
    by_keys: dict[tuple[str, ...], list[Story]] = {}
    for story in stories:
        architecture = story.results.cell.architecture
        keys = tuple(
            key for key in varied if concerns(key.partition(".")[0], architecture)
        )
        by_keys.setdefault(keys, []).append(story)
    found = []
    for keys, same in by_keys.items():
        pairs = combinations(keys, 2) if len(keys) > 1 else [keys] if keys else []
        found += [_sweep(same, pair, keys) for pair in pairs]
    return found


def _sweep(
    stories: Sequence[Story], keys: tuple[str, ...], every: tuple[str, ...]
) -> Sweep:
    members: dict[tuple[str, str, tuple[str, ...]], list[Story]] = {}
    swept = swept_settings([story.results for story in stories])
    for story, texts in zip(stories, swept.values, strict=True):
        if story.imported:
            continue
        value_of = dict(zip(swept.keys, texts, strict=True))
        values = tuple(value_of[key] for key in keys)
        place = (story.results.group_name, story.results.cell.architecture, values)
        members.setdefault(place, []).append(story)
    points = [
        Point(group, architecture, values, _generalised(same), survival_of(same))
        for (group, architecture, values), same in members.items()
    ]
    points.sort(
        key=lambda p: (p.group, p.architecture, [in_order(x) for x in p.values])
    )
    return Sweep(keys, tuple(points), tuple(key for key in every if key not in keys))


def in_order(value: str) -> tuple[int, float, str]:
    """Return a key that sorts numbers by size, and words after them."""
    try:
        return 0, float(value), ""
    except ValueError:
        return 1, 0.0, value


def survival_of(stories: Iterable[Story]) -> Survival | None:
    """Return when the runs of some cells generalised; None if no training is known."""
    events: list[float] = []
    censored: list[float] = []
    for story in stories:
        generalised, others = watched_until(story.results, story.courses)
        events += generalised
        censored += others
    return survival(events, censored)


def _generalised(stories: Sequence[Story]) -> Share:
    count = sum(story.universality.generalised.count for story in stories)
    return share(count, sum(story.results.num_runs for story in stories))
