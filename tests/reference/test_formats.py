import numpy as np
import pytest

from repjax.groups import build_group
from repjax.reference.formats import our_index, parse_cfg
from repjax.reference.runs import read_run, train_pairs
from repjax.settings.rules import ConfigError
from tests import textbook
from tests.published_run import CFG, write_run


def test_a_network_survives_the_change_of_element_order(torch, tmp_path):
    """Logits of a, b, c in the authors' numbers are those in ours."""
    directory = write_run(tmp_path / "run", torch, {"group_parameter": 4})
    run = read_run(directory)
    index = our_index("S4")
    assert (index[index] != np.arange(24)).any()  # there and back differ
    state = torch.load(directory / "model.pt", weights_only=True)
    theirs = textbook.in_float64({name: w.numpy() for name, w in state.items()})
    a, b = np.divmod(np.arange(24**2), 24)
    expected = textbook.mlp(theirs, a, b)[1]
    ours = textbook.in_float64(run.weights)
    actual = textbook.mlp(ours, index[a], index[b])[1][:, index]
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("group", ["S3", "S4", "S5", "A5"])
def test_order_of_elements_is_a_relabelling(group):
    index = our_index(group)
    assert sorted(index) == list(range(build_group(group).order))


def test_split_is_the_one_of_the_global_generator(torch):
    """`torch.manual_seed(seed); torch.randperm(n*n)[:int(frac_train*n*n)]`."""
    torch.manual_seed(2)
    expected = torch.randperm(36)[:14].numpy()
    pairs = train_pairs(parse_cfg(CFG), np.arange(6))
    np.testing.assert_array_equal(pairs, np.sort(expected))


BAD_CFG = [
    ({"group": "Monster"}, "group: Monster: unknown; use one of CyclicGroup, Di"),
    ({"group": "Symmetricgroup"}, "unknown; did you mean SymmetricGroup?"),
    (
        {"model": "OneLayerMPL"},
        "model: OneLayerMPL: unknown; did you mean OneLayerMLP?",
    ),
    ({"model": None}, "model: None; use one of OneLayerMLP, Transformer"),
    (
        {"group_parameter": 9},
        "group_parameter: '9' is not allowed; use 2 to 7 for S<n>",
    ),
    ({"group_parameter": "x"}, "group_parameter: 'x' is not allowed"),
    (
        {"group": "AlternatingGroup", "group_parameter": 6},
        "group_parameter: '6' is not allowed; use 5 to 5 for A<n>",
    ),
    ({"frac_train": 1.5}, "train_fraction: 1.5 is not allowed; use a number above 0"),
    ({"seed": -1}, "seeds: [-1] is not allowed"),
    ({"betas": 0.9}, "not the settings of a run"),
]


@pytest.mark.parametrize(("change", "message"), BAD_CFG)
def test_bad_cfg_is_one_clear_error(change, message):
    with pytest.raises(ConfigError) as caught:
        parse_cfg(CFG | change)
    assert message in str(caught.value)


@pytest.mark.parametrize("key", ["lr", "betas", "model", "group", "seed", "layers"])
def test_missing_key_is_named(key):
    cfg = {name: value for name, value in CFG.items() if name != key}
    with pytest.raises(ConfigError, match=f"'{key}' is missing"):
        parse_cfg(cfg)
