"""The settings of a sweep and of a cell: checked once, then typed and frozen.

Defaults live in `experiments/base.py` and nowhere else, so a key that is missing,
unknown, of the wrong type or out of range is a `ConfigError` that names it. Keys are
dotted ("optimizer.weight_decay") wherever a person reads or writes them.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from fnmatch import fnmatchcase
from functools import cache, cached_property
from typing import Any, TypeVar, cast

from ml_collections import ConfigDict

from repjax.groups.names import folder_name, tidy
from repjax.settings.architectures import (
    ARCHITECTURES,
    MlpSizes,
    Sizes,
    TransformerSizes,
)
from repjax.settings.rules import (
    ConfigError,
    Kind,
    Rule,
    as_tuple,
    check_key,
    choice,
    flag,
    integer,
    real,
    setting,
    several,
    show,
    text,
)

STEPS = integer(at_least=1, at_most=2**31 - 1)
NUM_SEEDS = integer(at_least=1, at_most=100_000)
LAST_SEED = 2**31 - 1
SEED = integer(at_least=0, at_most=LAST_SEED)
GROUP = text("the name of a group", tidy)

Settings = TypeVar("Settings")

LOGS = ("none", "tensorboard", "wandb")
"""Where live curves can be written."""

_LATER_SETTINGS = {"checkpoint.snapshots": False, "log": "none"}
"""Values of settings that older files do not contain."""


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """AdamW, constant learning rate."""

    learning_rate: float = setting(real(above=0.0), Kind.DATA)
    weight_decay: float = setting(real(at_least=0.0), Kind.DATA)
    beta1: float = setting(real(at_least=0.0, below=1.0), Kind.DATA)
    beta2: float = setting(real(at_least=0.0, below=1.0), Kind.DATA)
    eps: float = setting(real(above=0.0), Kind.DATA)


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """When to evaluate; step 0 and the last step are always included."""

    num_evaluations: int = setting(integer(at_least=2, at_most=100_000), Kind.HOST)


@dataclass(frozen=True, kw_only=True)
class CheckpointConfig:
    """Checkpoints: interval, number to keep, and snapshots of weights."""

    every_seconds: float = setting(real(at_least=0.0), Kind.HOST)
    keep: int = setting(integer(at_least=2), Kind.HOST)
    snapshots: bool = setting(flag(), Kind.HOST)


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """Settings of a run, except its group, architecture and seed."""

    task: str = setting(text("a word in a, b, a^-1, b^-1 such as a*b"), Kind.DATA)
    num_steps: int = setting(STEPS, Kind.HOST)
    train_fraction: float = setting(real(above=0.0, at_most=1.0), Kind.DATA)
    matmul_precision: str = setting(
        choice("auto", "default", "high", "highest"), Kind.SHAPE
    )
    optimizer: OptimizerConfig
    mlp: MlpSizes
    transformer: TransformerSizes
    evaluation: EvaluationConfig
    checkpoint: CheckpointConfig
    max_chunk_seconds: float = setting(real(above=0.0), Kind.HOST)
    runs_per_device: int = setting(integer(at_least=0), Kind.SHAPE)

    def to_json(self) -> dict[str, Any]:
        """Return these settings as JSON values: nested dicts, lists for tuples."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def from_json(cls: type[Settings], values: Any) -> Settings:
        """Parse the result of `to_json`, as strictly as `from_config_dict`.

        Settings that did not exist when a file was written get the value that changes
        nothing.
        """
        if isinstance(values, Mapping):
            known = rules_of(cast(Any, cls))
            later = {k: value for k, value in _LATER_SETTINGS.items() if k in known}
            values = later | flatten(values)
        return parse(cls, values)


@cache
def rules_of(cls: Any, prefix: str = "") -> dict[str, Rule]:
    """Return dotted key → rule for all settings of a dataclass, nested ones too."""
    rules: dict[str, Rule] = {}
    for field in dataclasses.fields(cls):
        key = f"{prefix}{field.name}"
        if is_dataclass(field.type):
            rules |= rules_of(cast(Any, field.type), f"{key}.")
        else:
            rules[key] = field.metadata["rule"]
    return rules


SWEEPABLE = rules_of(RunSettings)
OVERRIDABLE = {"num_seeds": NUM_SEEDS, "first_seed": SEED} | SWEEPABLE


def _parse_overrides(value: Any) -> tuple[tuple[str, str, Any], ...]:
    """Parse triples (pattern for "group/architecture", key, value)."""

    def parse_one(triple: Any) -> tuple[str, str, Any]:
        pattern, key, value = as_tuple(triple)
        architecture = pattern.rpartition("/")[2] if "/" in pattern else ""
        if not any(fnmatchcase(name, architecture) for name in ARCHITECTURES):
            raise ConfigError(
                f"overrides: {show(pattern)} matches no cell; use "
                f"<group>/<architecture> such as 'S5/mlp' or '*/transformer'"
            )
        check_key(key, OVERRIDABLE, where="overrides: ")
        return pattern, key, OVERRIDABLE[key].parse(f"overrides: {key}", value)

    return tuple(map(parse_one, _as_rows(value)))


def _parse_sweep(value: Any) -> tuple[tuple[str, tuple], ...]:
    """Parse pairs (key, values), whose Cartesian product is the sweep."""

    def parse_one(pair: Any) -> tuple[str, tuple]:
        key, values = as_tuple(pair)
        check_key(key, SWEEPABLE, where="sweep: ")
        rule = SWEEPABLE[key]
        values = tuple(rule.parse(f"sweep: {key}", item) for item in as_tuple(values))
        if not values or len(set(values)) < len(values):
            raise ConfigError(
                f"sweep: {key}: {show(values)}; use one or more values, each once"
            )
        return key, values

    pairs = tuple(map(parse_one, _as_rows(value)))
    if len(dict(pairs)) < len(pairs):
        raise ConfigError(
            f"sweep: {show(pairs)} sweeps a key twice; name each key once"
        )
    return pairs


def _as_rows(value: Any) -> tuple:
    """Return the rows; (("key", 1),) typed at a shell may lack its last comma."""
    rows = as_tuple(value)
    return (rows,) if rows and isinstance(rows[0], str) else rows


@dataclass(frozen=True, kw_only=True)
class Config(RunSettings):
    """All settings that `get_config()` in an experiment file returns."""

    groups: tuple[str, ...] = setting(
        several(GROUP, "one or more groups, each once, such as S5 or S5,A5"),
        Kind.HOST,
    )
    architectures: tuple[str, ...] = setting(
        several(
            choice(*ARCHITECTURES),
            f"one or more of {', '.join(ARCHITECTURES)}, each once",
        ),
        Kind.HOST,
    )
    num_seeds: int = setting(OVERRIDABLE["num_seeds"], Kind.HOST)
    first_seed: int = setting(SEED, Kind.HOST)
    log: str = setting(choice(*LOGS), Kind.HOST)
    overrides: tuple[tuple[str, str, Any], ...] = setting(
        Rule(
            "triples (pattern, key, value): (('*/mlp', 'num_steps', 100),)",
            _parse_overrides,
        ),
        Kind.HOST,
    )
    sweep: tuple[tuple[str, tuple], ...] = setting(
        Rule(
            "pairs (key, values): (('optimizer.weight_decay', (0.3, 1.0)),)",
            _parse_sweep,
        ),
        Kind.HOST,
    )


@dataclass(frozen=True, kw_only=True)
class CellConfig(RunSettings):
    """All runs that differ in nothing but their seed: the unit of tables and files."""

    group: str = setting(GROUP, Kind.DATA)
    architecture: str = setting(choice(*ARCHITECTURES), Kind.SHAPE)
    seeds: tuple[int, ...] = setting(
        several(SEED, "one or more seeds, each once"), Kind.DATA
    )
    swept: tuple[str, ...] = dataclasses.field(
        default=(),
        metadata={
            "rule": several(choice(*SWEEPABLE), "keys of settings", at_least=0),
            "kind": Kind.HOST,
        },
    )

    @property
    def sizes(self) -> Sizes:
        """Sizes of its architecture."""
        return getattr(self, ARCHITECTURES[self.architecture].section)

    @property
    def whole_table(self) -> bool:
        """Whether every pair trains, so that there is none to test on."""
        return self.train_fraction == 1.0

    @cached_property
    def flat(self) -> dict[str, Any]:
        """Its settings as JSON values, by dotted key."""
        return flatten(self.to_json())

    @cached_property
    def name(self) -> str:
        """Name of its directory: group, architecture and swept settings."""
        varied = [f"{key.rpartition('.')[2]}={self.flat[key]}" for key in self.swept]
        return "_".join([folder_name(self.group), self.architecture, *varied])


def shape_of(cell: CellConfig) -> tuple[tuple[str, Any], ...]:
    """Return the settings that decide which program trains `cell`.

    Cells with equal values here and groups of the same order share their programs; all
    other settings are data, or concern only the host. The sizes are those of the cell's
    own architecture.
    """
    return tuple(
        (field.name, getattr(settings, field.name))
        for settings in (cell, cell.sizes)
        for field in dataclasses.fields(settings)
        if field.metadata.get("kind") is Kind.SHAPE
    )


def from_config_dict(config: ConfigDict) -> Config:
    """Check and return the settings of a sweep.

    Raises:
        ConfigError: a key is unknown or missing, or its value is not allowed.
    """
    return parse(Config, config.to_dict())


def parse(cls: type[Settings], values: Any) -> Settings:
    """Build a settings dataclass from nested or dotted keys; all are required."""
    if not isinstance(values, Mapping):
        raise ConfigError(f"{show(values)} is not allowed; use a mapping of settings")
    flat, rules = flatten(values), rules_of(cast(Any, cls))
    for key in flat:
        check_key(key, rules)
    for key, rule in rules.items():
        if key not in flat:
            raise ConfigError(f"{key}: missing; use {rule.allowed}")
    return _assemble(cls, {key: rules[key].parse(key, flat[key]) for key in flat})


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested mappings into one dict with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _assemble(cls: Any, flat: Mapping[str, Any], prefix: str = "") -> Any:
    """Build the dataclass whose checked settings are in `flat` under `prefix`."""
    values = {}
    for field in dataclasses.fields(cls):
        key = f"{prefix}{field.name}"
        nested = is_dataclass(field.type)
        values[field.name] = (
            _assemble(field.type, flat, f"{key}.") if nested else flat[key]
        )
    return cls(**values)
