"""The periodic table: a square for every non-trivial irrep of every group.

It shows how often runs that generalised learned each irrep, when, and how much of the
network it then explains, pooled over architectures and settings and for each of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from repjax.statistics.intervals import Estimate, Share, mean, median, share
from repjax.statistics.phases import has_past
from repjax.statistics.universality import TRIVIAL
from repjax.storage.results import CellResults


@dataclass(frozen=True)
class Square:
    """One irrep of one group, over all architectures and settings, or in one story.

    Attributes:
        group: name of the group.
        order: number of its elements.
        irrep: name of the irrep.
        dim: real dimension.
        type: real, complex or quaternionic.
        learned: runs in which it is key, of those that generalised.
        step: median step at which it was learned, over those with a past.
        explained_hidden: share of the variance of the hidden layer in ρ(a), ρ(b) and
            ρ(ab), mean over the runs in which it is key, in [0, 1].
        explained_logits: squared logit similarity, likewise.
        by_story: name of a story → square of its runs alone, whose `by_story` is empty.
    """

    group: str
    order: int
    irrep: str
    dim: int
    type: str
    learned: Share
    step: Estimate | None
    explained_hidden: Estimate | None
    explained_logits: Estimate | None
    by_story: dict[str, "Square"]


@dataclass(frozen=True, eq=False)
class Member:
    """One story's part in the periodic table.

    Attributes:
        name: name of the story.
        results: results of its runs.
        order: order of the group.
        types: types of its irreps.
    """

    name: str
    results: CellResults
    order: int
    types: tuple[str, ...]


def periodic_table(members: Sequence[Member]) -> tuple[Square, ...]:
    """Return the squares, by order and name of the group, then in order of irreps."""
    groups: dict[tuple[int, str, tuple[str, ...]], list[Member]] = {}
    for member in members:
        key = (member.order, member.results.group_name, member.results.irreps)
        groups.setdefault(key, []).append(member)
    return tuple(
        _with_stories(same, index)
        for (_, _, irreps), same in sorted(groups.items(), key=lambda item: item[0])
        for index, irrep in enumerate(irreps)
        if irrep != TRIVIAL
    )


def _with_stories(members: Sequence[Member], index: int) -> Square:
    """Return the square of one irrep, with that of each member, which may be alone."""
    by_story = {member.name: _square([member], index) for member in members}
    alone = len(members) == 1
    square = by_story[members[0].name] if alone else _square(members, index)
    return replace(square, by_story=by_story)


def _square(members: Sequence[Member], index: int) -> Square:
    """Return the square of one irrep, over the runs of members that share a group."""
    first = members[0]
    counted = [member.results.generalised for member in members]
    key = [
        member.results.is_key[:, index] & member.results.generalised
        for member in members
    ]

    def pool(values: Sequence[np.ndarray]) -> np.ndarray:
        """Collect the measured values of the runs in which the irrep is key."""
        chosen = [run[mask] for run, mask in zip(values, key, strict=True)]
        pooled = np.concatenate(chosen).astype(float)
        return pooled[np.isfinite(pooled)]

    steps = [
        np.where(
            has_past(member.results), member.results.learned_step[:, index], np.inf
        )
        for member in members
    ]
    hidden = [
        member.results.final("hidden_a")[:, index]
        + member.results.final("hidden_b")[:, index]
        + member.results.final("hidden_ab")[:, index]
        for member in members
    ]
    similarity = [
        member.results.final("logit_similarity")[:, index] for member in members
    ]
    return Square(
        group=first.results.group_name,
        order=first.order,
        irrep=first.results.irreps[index],
        dim=first.results.irrep_dims[index],
        type=first.types[index],
        learned=share(
            sum(int(k.sum()) for k in key), sum(int(c.sum()) for c in counted)
        ),
        step=median(pool(steps)),
        explained_hidden=mean(pool(hidden)),
        explained_logits=mean(pool([s**2 for s in similarity])),
        by_story={},
    )
