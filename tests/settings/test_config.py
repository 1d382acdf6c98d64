import json

import numpy as np
import pytest
from ml_collections import ConfigDict, config_dict

from experiments import base
from repjax.settings.config import (
    SWEEPABLE,
    CellConfig,
    Config,
    flatten,
    from_config_dict,
    rules_of,
)
from repjax.settings.rules import ConfigError, check_key
from repjax.settings.sweep import expand


def with_value(key: str, value) -> ConfigDict:
    """The defaults but for one key; built anew, for an update would convert types."""
    values = base.get_config().to_dict()
    *sections, name = key.split(".")
    (values[sections[0]] if sections else values)[name] = value
    return ConfigDict(values)


def get(config: Config, key: str):
    for part in key.split("."):
        config = getattr(config, part)
    return config


def test_base_has_every_key_and_no_other():
    assert set(flatten(base.get_config().to_dict())) == set(rules_of(Config))


def test_values_arrive_where_they_belong():
    config = from_config_dict(with_value("optimizer.weight_decay", 0.25))
    assert config.optimizer.weight_decay == 0.25
    assert config.optimizer.learning_rate == 1e-3
    assert config.groups == ("S5",)


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        ("train_fraction", np.float64(0.5), 0.5),
        ("train_fraction", 1, 1.0),
        ("optimizer.weight_decay", 2, 2.0),
        ("optimizer.weight_decay", 0, 0.0),
        ("num_steps", np.int64(7), 7),
        ("checkpoint.every_seconds", 0, 0.0),
        ("groups", "S5", ("S5",)),
        ("groups", ("S5,A5",), ("S5", "A5")),
        ("groups", ("S5, A5",), ("S5", "A5")),
        ("groups", ["S5", "tables/q8.npy"], ("S5", "tables/q8.npy")),
        ("architectures", ("mlp,transformer",), ("mlp", "transformer")),
        ("sweep", ("mlp.hidden_dim", (8, 16)), (("mlp.hidden_dim", (8, 16)),)),
        ("sweep", (("train_fraction", [0.5]),), (("train_fraction", (0.5,)),)),
        ("overrides", ("*/*", "num_seeds", 2), (("*/*", "num_seeds", 2),)),
        ("overrides", (("S5/mlp", "first_seed", 0),), (("S5/mlp", "first_seed", 0),)),
    ],
)
def test_lenient_spellings_are_normalised(key, value, kept):
    stored = get(from_config_dict(with_value(key, value)), key)
    assert stored == kept
    assert type(stored) is type(kept)


BAD_VALUES = [
    ("num_seeds", 0, "0 is not allowed; use an integer from 1 to 100000"),
    ("num_seeds", 2.0, "2.0 is not allowed; use an integer"),
    ("num_seeds", True, "True is not allowed; use an integer"),
    ("num_seeds", "4", "'4' is not allowed; use an integer"),
    ("num_seeds", None, "None is not allowed; use an integer"),
    ("first_seed", -1, "-1 is not allowed; use an integer from 0 to 2147483647"),
    ("first_seed", 2**31, "use an integer from 0 to 2147483647"),
    ("num_steps", -5, "-5 is not allowed; use an integer from 1 to 2147483647"),
    ("train_fraction", 0.0, "0.0 is not allowed; use a number above 0 and at most 1"),
    ("train_fraction", 1.1, "1.1 is not allowed; use a number above 0 and at most 1"),
    ("train_fraction", float("nan"), "nan is not allowed"),
    ("optimizer.learning_rate", float("inf"), "inf is not allowed"),
    ("optimizer.learning_rate", 10**400, "is not allowed; use a number above 0"),
    ("optimizer.weight_decay", -0.1, "use a number at least 0"),
    ("optimizer.weight_decay", True, "True is not allowed"),
    ("optimizer.beta1", 1.0, "use a number at least 0 and below 1"),
    ("optimizer.eps", 0.0, "use a number above 0"),
    ("mlp.hidden_dim", 0, "use an integer from 1 to 1000000"),
    ("transformer.init_scale", -1.0, "use a number above 0"),
    ("evaluation.num_evaluations", 1, "use an integer from 2 to 100000"),
    ("checkpoint.keep", 1, "use an integer, at least 2"),
    ("max_chunk_seconds", 0.0, "use a number above 0"),
    ("matmul_precision", "tf32", "'tf32' is not allowed; use one of auto, default"),
    ("task", " ", "use a word in a, b"),
    ("groups", (), "() is not allowed; use one or more groups"),
    ("groups", ("S5", "S5"), "each once"),
    ("groups", (5,), "(5,) is not allowed"),
    ("groups", ("S5,,A5",), "is not allowed"),
    ("architectures", ("mpl",), "use one or more of mlp, transformer, bilinear"),
    ("overrides", 3, "3 is not allowed; use triples (pattern, key, value)"),
    ("overrides", (("S5/mlp", "num_steps"),), "use triples (pattern, key, value)"),
    ("overrides", ((1, 2, 3),), "use triples (pattern, key, value)"),
    ("overrides", (("S5/mpl", "num_steps", 3),), "'S5/mpl' matches no cell"),
    (
        "overrides",
        (("*/mlp", "num_stps", 3),),
        "num_stps: unknown; did you mean num_st",
    ),
    ("overrides", ("*", "num_steps", 3), "use <group>/<architecture> such as"),
    ("overrides", (("*/mlp", 3, 3),), "use triples (pattern, key, value)"),
    ("overrides", (("*/mlp", "groups", "S5"),), "groups: unknown"),
    ("overrides", (("*/mlp", "num_steps", 0),), "num_steps: 0 is not allowed"),
    ("sweep", (("num_seeds", (1, 2)),), "num_seeds: unknown"),
    ("sweep", (("eps", (1, 2)),), "eps: unknown; did you mean optimizer.eps?"),
    ("sweep", (("optimizer.eps", 1e-8),), "use pairs (key, values)"),
    ("sweep", (("optimizer.eps", ()),), "use one or more values, each once"),
    ("sweep", (("optimizer.eps", (1, 1.0)),), "use one or more values, each once"),
    ("sweep", (("optimizer.eps", (0.0,)),), "optimizer.eps: 0.0 is not allowed"),
    ("sweep", (("num_steps", (1,)), ("num_steps", (2,))), "name each key once"),
]


@pytest.mark.parametrize(("key", "value", "message"), BAD_VALUES)
def test_bad_values_are_refused_by_name(key, value, message):
    with pytest.raises(ConfigError) as raised:
        from_config_dict(with_value(key, value))
    line = str(raised.value)
    assert line.startswith(f"{key}:")
    assert message in line
    assert "\n" not in line


def test_every_setting_refuses_a_value_of_another_kind():
    for key in rules_of(Config):
        with pytest.raises(ConfigError, match=f"^{key}: <object"):
            from_config_dict(with_value(key, object()))


def test_unknown_keys_are_errors_with_the_nearest_one():
    config = base.get_config().unlock()
    config.num_sedes = 3
    with pytest.raises(ConfigError, match=r"^num_sedes: unknown; did you mean num_see"):
        from_config_dict(config)
    config = base.get_config().unlock()
    config.optimizer.momentum = 0.9
    with pytest.raises(ConfigError, match=r"^optimizer.momentum: unknown"):
        from_config_dict(config)


OPTIMIZER = ["learning_rate", "weight_decay", "beta1", "beta2", "eps"]


@pytest.mark.parametrize(
    ("key", "where", "hint"),
    [
        ("num_sedes", "", "did you mean num_seeds?"),
        ("num_sedes", "--config.", "did you mean --config.num_seeds?"),
        ("weight-decay", "", "did you mean optimizer.weight_decay?"),
        ("optimiser.learnin_rate", "", "did you mean optimizer.learning_rate?"),
        ("mlp.learning_rate", "", "did you mean optimizer.learning_rate?"),
        *(
            (
                f"optimizer.{name}",
                where,
                f"use one of {', '.join(where + key for key in keys)}",
            )
            for name in ("lr", "wd")
            for where in ("", "--config.")
            for keys in [[f"optimizer.{key}" for key in OPTIMIZER]]
        ),
        ("xyz", "--config.", f"use one of {', '.join(rules_of(Config))}"),
    ],
)
def test_a_hint_is_near_or_lists_the_section(key, where, hint):
    """No key of the section is proposed for its section's sake alone."""
    with pytest.raises(ConfigError) as error:
        check_key(key, rules_of(Config), where)
    assert str(error.value) == f"{where}{key}: unknown; {hint}"


def test_missing_keys_are_errors():
    for key in rules_of(Config):
        config = base.get_config().unlock()
        *sections, name = key.split(".")
        del (config[sections[0]] if sections else config)[name]
        with pytest.raises(ConfigError, match=f"^{key}: missing; use "):
            from_config_dict(config)


def test_a_section_is_not_a_value():
    config = base.get_config()
    with config.ignore_type():
        config.optimizer = 3
    with pytest.raises(ConfigError, match=r"^optimizer: holds several keys; use optim"):
        from_config_dict(config)


def test_references_are_followed_and_placeholders_refused():
    config = base.get_config()
    config.first_seed = config.get_ref("num_seeds") + 6
    config.num_seeds = 5
    assert from_config_dict(config).first_seed == 11
    with pytest.raises(ConfigError, match=r"^num_steps: None is not allowed"):
        from_config_dict(with_value("num_steps", config_dict.placeholder(int)))


def test_json_round_trip_of_config_and_cell():
    config = from_config_dict(with_value("sweep", ("optimizer.eps", (1e-8, 1e-300))))
    written = config.to_json()
    assert json.loads(json.dumps(written)) == written
    assert Config.from_json(written) == config
    for cell in expand(config):
        written = cell.to_json()
        assert json.loads(json.dumps(written)) == written
        assert CellConfig.from_json(written) == cell
        assert CellConfig.from_json(written).name == cell.name


def test_json_is_read_as_strictly_as_a_config():
    (cell,) = expand(from_config_dict(base.get_config()))
    written = cell.to_json()
    with pytest.raises(ConfigError, match=r"^colour: unknown"):
        CellConfig.from_json(written | {"colour": 1})
    with pytest.raises(ConfigError, match=r"^seeds: \[1, 1\] is not allowed"):
        CellConfig.from_json(written | {"seeds": [1, 1]})
    with pytest.raises(ConfigError, match=r"^mlp.hidden_dim: missing"):
        CellConfig.from_json(written | {"mlp": {"embed_dim": 3}})
    with pytest.raises(ConfigError, match=r"use a mapping"):
        CellConfig.from_json([1])


def test_settings_are_frozen_and_know_what_may_be_swept():
    config = from_config_dict(base.get_config())
    with pytest.raises(AttributeError):
        config.num_steps = 3  # type: ignore[misc]
    assert set(SWEEPABLE) < set(rules_of(Config))
    assert "groups" not in SWEEPABLE
