"""Expand a config into cells, and divide them fairly among processes."""

import dataclasses
import heapq
import itertools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from repjax.groups import build_group
from repjax.settings.architectures import concerns
from repjax.settings.config import (
    LAST_SEED,
    SWEEPABLE,
    CellConfig,
    Config,
    flatten,
    parse,
)
from repjax.settings.rules import ConfigError, show


def expand(config: Config, typed_in: Collection[str] = ()) -> list[CellConfig]:
    """Return the cells of a sweep, by group, then architecture, then swept settings.

    A setting has the first of these values that exists: that of the command line, of
    the sweep, of the last override whose pattern matches the cell, the base value.

    Args:
        config: the whole sweep.
        typed_in: dotted keys given as `--config.key=value`.

    Raises:
        ConfigError: an unknown group or task, no pair to train or test on, or two cells
            with the same name.
    """
    for group in config.groups:
        _check_group(group)
    # Once: a thousand groups are as many settings in each of a thousand cells.
    settings = flatten(dataclasses.asdict(config))
    cells = [
        cell
        for group, architecture in itertools.product(
            config.groups, config.architectures
        )
        for cell in _expand_pair(config, settings, group, architecture, typed_in)
    ]
    first_of_name: dict[str, CellConfig] = {}
    for cell in cells:
        _check_data(cell)
        twin = first_of_name.setdefault(cell.name, cell)
        if twin is not cell:
            raise ConfigError(
                f"groups: {show(twin.group)} and {show(cell.group)} would share the "
                f"directory {cell.name}; leave one out, or rename its file"
            )
    return cells


def check_overrides(config: Config, typed_in: Collection[str]) -> None:
    """Raise `ConfigError` if an override that a user typed in matches no cell.

    Those of a file may match none: they are there for groups that it is asked to leave
    out.
    """
    cells = [f"{g}/{a}" for g in config.groups for a in config.architectures]
    for pattern, *_ in config.overrides if "overrides" in typed_in else ():
        if not any(fnmatchcase(cell, pattern) for cell in cells):
            some = f"{', '.join(cells[:10])}{', …' * (len(cells) > 10)}"
            raise ConfigError(
                f"overrides: {show(pattern)} matches no cell; the cells are {some}"
            )


def _expand_pair(
    config: Config,
    base: Mapping[str, Any],
    group: str,
    architecture: str,
    typed_in: Collection[str],
) -> Iterator[CellConfig]:
    """Yield the cells of one group and architecture, one per point of the sweep.

    `base` holds the settings of `config` by dotted key.
    """
    settings = dict(base)
    for pattern, key, value in config.overrides:
        if fnmatchcase(f"{group}/{architecture}", pattern) and key not in typed_in:
            settings[key] = value
    first, count = settings["first_seed"], settings["num_seeds"]
    cell = {key: settings[key] for key in SWEEPABLE}
    cell |= {"group": group, "architecture": architecture}
    if first + count - 1 > LAST_SEED:
        raise ConfigError(
            f"first_seed: {first} is not allowed with num_seeds {count}; "
            f"use seeds up to {LAST_SEED}"
        )
    cell["seeds"] = tuple(range(first, first + count))
    sweep = {
        key: values
        for key, values in config.sweep
        if key not in typed_in and concerns(key.partition(".")[0], architecture)
    }
    for values in itertools.product(*sweep.values()):
        varied = dict(zip(sweep, values, strict=True))
        yield parse(CellConfig, cell | varied | {"swept": tuple(sweep)})


def _check_group(name: str) -> None:
    try:
        build_group(name)
    except ValueError as error:
        raise ConfigError(f"groups: {error}") from None


def _check_data(cell: CellConfig) -> None:
    """Check that the task is a word, and that there are pairs to train and to test on.

    The whole table leaves none to test on, and is allowed.
    """
    # Imports jax, which takes 0.7 s: too long before a misspelt key is reported.
    from repjax.tasks.pairs import labels, num_train_pairs

    try:
        labels(build_group("C1"), cell.task)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    order = build_group(cell.group).order
    num_pairs = num_train_pairs(order, cell.train_fraction)
    if not cell.whole_table and not 0 < num_pairs < order**2:
        raise ConfigError(
            f"train_fraction: {cell.train_fraction} of the {order**2} pairs of "
            f"{cell.group} is not allowed; leave pairs to train and pairs to test, "
            "or use 1 to train on all"
        )


def estimate_cost(cell: CellConfig) -> float:
    """Estimate the floating-point operations of one run, to balance shards.

    Six per step, training pair and weight applied to pairs: multiply and add, forward
    and for two gradients. Tables over elements (embeddings, keys, values) are left out.
    """
    order = build_group(cell.group).order
    pairs = cell.train_fraction * order**2
    return 6.0 * cell.sizes.products(order) * pairs * cell.num_steps


def parse_shard(shard: str) -> tuple[int, int]:
    """Parse "i/n" into the pair (i, n)."""
    match = re.fullmatch(r"(\d+)/(\d+)", shard, re.ASCII)
    if not match or not int(match[1]) < int(match[2]):
        raise ConfigError(
            f"--shard: {show(shard)} is not allowed; use i/n with 0 <= i < n"
        )
    return int(match[1]), int(match[2])


def take_shard(cells: Sequence[CellConfig], index: int, count: int) -> list[CellConfig]:
    """Return the runs of process `index` of `count`, as cells with fewer seeds."""
    return divide(cells, count)[index]


def divide(cells: Sequence[CellConfig], count: int) -> list[list[CellConfig]]:
    """Divide the runs of a sweep into `count` shards, as cells with fewer seeds.

    Runs go to the shard with the least work, most expensive first. No shard then takes
    more than 4/3 of the best possible time (Graham 1969), and every process computes
    the same split.
    """
    runs = [
        (estimate_cost(cell), i, seed)
        for i, cell in enumerate(cells)
        for seed in cell.seeds
    ]
    runs.sort(key=lambda run: (-run[0], run[1], run[2]))
    loads = [(0.0, shard) for shard in range(count)]
    shards: list[dict[int, list[int]]] = [{} for _ in range(count)]
    for cost, i, seed in runs:
        load, shard = heapq.heappop(loads)
        heapq.heappush(loads, (load + cost, shard))
        shards[shard].setdefault(i, []).append(seed)
    return [
        [
            dataclasses.replace(cells[i], seeds=tuple(seeds))
            for i, seeds in sorted(shard.items())
        ]
        for shard in shards
    ]
