import itertools

import numpy as np
import pytest

from experiments import base, table3
from repjax.groups import build_group
from repjax.settings.config import CellConfig, Config, flatten, from_config_dict
from repjax.settings.rules import ConfigError
from repjax.settings.sweep import estimate_cost, expand, parse_shard, take_shard


def config_with(**settings) -> Config:
    config = base.get_config()
    config.update_from_flattened_dict(
        {key.replace("__", "."): value for key, value in settings.items()}
    )
    return from_config_dict(config)


def values(cells: list[CellConfig], key: str) -> list:
    return [flatten(cell.to_json())[key] for cell in cells]


def test_cells_are_groups_times_architectures():
    cells = expand(
        config_with(
            groups=("S3", "C7"), architectures=("mlp", "transformer"), first_seed=3
        )
    )
    names = ["S3_mlp", "S3_transformer", "C7_mlp", "C7_transformer"]
    assert [cell.name for cell in cells] == names
    assert all(cell.seeds == (3, 4, 5, 6) for cell in cells)


def test_the_last_matching_override_counts():
    cells = expand(
        config_with(
            groups=("S3", "C7"),
            architectures=("mlp", "transformer"),
            overrides=(
                ("*/mlp", "num_steps", 10),
                ("C*/*", "num_steps", 20),
                ("S3/transformer", "num_seeds", 1),
                ("S3/transformer", "first_seed", 9),
            ),
        )
    )
    assert values(cells, "num_steps") == [10, 250_000, 20, 20]
    assert [cell.seeds for cell in cells][:2] == [(1, 2, 3, 4), (9,)]


def test_precedence_is_base_override_sweep_command_line():
    overrides = (("*/mlp", "optimizer.weight_decay", 3),)
    sweep = (("optimizer.weight_decay", (4, 5)),)
    key = "optimizer.weight_decay"

    config = config_with(groups=("S3",), overrides=overrides)
    assert values(expand(config), key) == [3.0]
    assert values(expand(config, [key]), key) == [1.0]

    config = config_with(groups=("S3",), overrides=overrides, sweep=sweep)
    assert values(expand(config), key) == [4.0, 5.0]
    typed = expand(config, [key])
    assert values(typed, key) == [1.0]
    assert typed[0].name == "S3_mlp"


def test_a_sweep_is_a_product_that_names_its_cells():
    sweep = (("optimizer.weight_decay", (0.3, 1)), ("train_fraction", (0.5, 0.6)))
    cells = expand(config_with(groups=("S3",), sweep=sweep))
    assert [cell.name for cell in cells] == [
        f"S3_mlp_weight_decay={decay}_train_fraction={fraction}"
        for decay, fraction in itertools.product((0.3, 1.0), (0.5, 0.6))
    ]
    assert values(cells, "optimizer.weight_decay") == [0.3, 0.3, 1.0, 1.0]
    assert values(cells, "train_fraction") == [0.5, 0.6, 0.5, 0.6]


def test_a_sweep_passes_over_architectures_that_it_cannot_change():
    cells = expand(
        config_with(
            groups=("S3",),
            architectures=("mlp", "bilinear", "transformer"),
            sweep=(("mlp.hidden_dim", (8, 16)), ("transformer.d_mlp", (8, 16, 24))),
        )
    )
    assert [cell.name for cell in cells] == [
        "S3_mlp_hidden_dim=8",
        "S3_mlp_hidden_dim=16",
        "S3_bilinear_hidden_dim=8",
        "S3_bilinear_hidden_dim=16",
        "S3_transformer_d_mlp=8",
        "S3_transformer_d_mlp=16",
        "S3_transformer_d_mlp=24",
    ]


def test_groups_from_table_files_get_the_name_of_the_file(tmp_path):
    np.save(tmp_path / "v4.npy", np.arange(4) ^ np.arange(4)[:, None])
    (tmp_path / "other").mkdir()
    np.save(tmp_path / "other" / "v4.npy", build_group("C4").table)
    path = str(tmp_path / "v4.npy")
    overrides = (("*v4.npy/mlp", "num_steps", 10),)
    (cell,) = expand(config_with(groups=(path,), overrides=overrides))
    assert (cell.name, cell.group, cell.num_steps) == ("v4_mlp", path, 10)

    groups = (path, str(tmp_path / "other" / "v4.npy"))
    with pytest.raises(
        ConfigError, match=r"^groups: .*would share the directory v4_mlp"
    ):
        expand(config_with(groups=groups))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"groups": ("S3", "Q7")}, r"^groups: 'Q7' is not a known group; Q<n> goes"),
        ({"groups": ("no/such.npy",)}, r"^groups: 'no/such.npy' is not a file"),
        ({"task": "a*c"}, r"^task: 'a\*c' is not a word"),
        ({"groups": ("C1",)}, r"^train_fraction: 0.4 of the 1 pairs of C1"),
        ({"groups": ("C2",), "train_fraction": 0.1}, r"^train_fraction: 0.1 of the 4"),
    ],
)
def test_what_the_group_does_not_allow(settings, message):
    with pytest.raises(ConfigError, match=message):
        expand(config_with(**settings))


def test_the_whole_table_needs_no_pair_to_test_on():
    (cell,) = expand(config_with(groups=("C2",), train_fraction=1))
    assert cell.whole_table
    (cell,) = expand(config_with(groups=("C2",), train_fraction=0.9))
    assert not cell.whole_table
    with pytest.raises(ConfigError, match=r"pairs to test, or use 1 to train on all$"):
        expand(config_with(groups=("C1",)))


def runs(cells: list[CellConfig]) -> list[tuple[str, int]]:
    return [(cell.name, seed) for cell in cells for seed in cell.seeds]


def load(cells: list[CellConfig]) -> float:
    return sum(len(cell.seeds) * estimate_cost(cell) for cell in cells)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 16, 56, 60])
def test_shards_are_balanced_parts_of_the_runs(count):
    cells = expand(from_config_dict(table3.get_config()))
    shards = [take_shard(cells, index, count) for index in range(count)]
    together = [run for shard in shards for run in runs(shard)]
    assert sorted(together) == sorted(runs(cells))
    assert [take_shard(cells, index, count) for index in range(count)] == shards
    dearest = max(map(estimate_cost, cells))
    loads = [load(shard) for shard in shards]
    assert max(loads) <= max(dearest, sum(loads) / count * 4 / 3)
    assert max(loads) - min(loads) <= dearest
    assert all(shards[: len(together)])


def test_a_shard_keeps_everything_but_seeds():
    cells = expand(config_with(groups=("S3", "C7"), num_seeds=5))
    assert take_shard(cells, 0, 1) == cells
    for cell in take_shard(cells, 1, 2):
        (whole,) = [other for other in cells if other.name == cell.name]
        assert cell.to_json() | {"seeds": 0} == whole.to_json() | {"seeds": 0}
        assert set(cell.seeds) < set(whole.seeds)


def test_cost_is_that_of_the_products_over_pairs():
    (mlp,) = expand(config_with())
    # 5,760 pairs × 128 neurons × 120 logits, three products of 2 flop each.
    assert estimate_cost(mlp) == pytest.approx(6 * 5_760 * 128 * 120 * 250_000)


@pytest.mark.parametrize(
    "shard", ["4/4", "0/0", "-1/2", "1", "a/b", "1/2/3", "", "٣/٤"]
)
def test_bad_shards(shard):
    with pytest.raises(ConfigError, match=r"^--shard: .*use i/n with 0 <= i < n"):
        parse_shard(shard)


def test_parse_shard():
    assert parse_shard("3/16") == (3, 16)
