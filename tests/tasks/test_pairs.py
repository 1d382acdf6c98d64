"""Words and splits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from repjax.groups import build_group
from repjax.tasks.pairs import is_train, labels, num_train_pairs, split
from tests.compilation import quick_jit

ORDER, FRACTION = 9, 0.4


def spell(group, a: int, b: int, word: str) -> int:
    """The value of a word given as letters, capitals for inverses."""
    value = group.identity
    for letter in word:
        element = {"a": a, "b": b}[letter.lower()]
        value = group.table[
            value, group.inverse[element] if letter.isupper() else element
        ]
    return value


@pytest.mark.parametrize("name", ["C5", "S3", "A4"])
@pytest.mark.parametrize(
    ("task", "letters"),
    [
        ("a*b", "ab"),
        ("b*a", "ba"),
        ("a*b*a^-1", "abA"),
        (" a * b^-1 ", "aB"),
        ("a*a*b*b*a", "aabba"),
        ("a*b*a^-1*b^-1", "abAB"),
        ("b^-1", "B"),
    ],
)
def test_word_is_multiplied_from_the_left(name, task, letters):
    group = build_group(name)
    table = labels(group, task)
    assert table.dtype == np.int32
    elements = range(group.order)
    expected = [[spell(group, a, b, letters) for b in elements] for a in elements]
    np.testing.assert_array_equal(table, expected)


def test_default_task_is_the_multiplication_table():
    group = build_group("D5")
    np.testing.assert_array_equal(labels(group), group.table)


@pytest.mark.parametrize(
    "task",
    [
        "",
        "ab",
        "a**b",
        "a*b*",
        "a*c",
        "A*b",
        "a^2",
        "a^-1^-1",
        "a^-2",
        "1",
        "a+b",
        "a*b\n",
    ],
)
def test_bad_word_is_named_in_the_error(task):
    with pytest.raises(ValueError, match=r"^task: ") as error:
        labels(build_group("S3"), task)
    assert f"'{task}'" in str(error.value) and "a*b" in str(error.value)


@pytest.mark.parametrize(
    ("order", "fraction", "expected"),
    [
        (120, 0.4, 5760),
        (720, 0.25, 129600),
        (113, 0.3, 3830),
        (60, 0.6, 2160),
        (113, 1.0, 113**2),
    ],
)
def test_number_of_training_pairs_is_the_papers(order, fraction, expected):
    assert num_train_pairs(order, fraction) == expected


NUM_PAIRS = num_train_pairs(ORDER, FRACTION)
draw = quick_jit(jax.vmap(lambda key: split(key, ORDER, NUM_PAIRS)))


@pytest.fixture(scope="module")
def splits():
    """The splits of the seeds 0 to 7."""
    root = jax.random.key(0)
    keys = jax.vmap(lambda seed: jax.random.fold_in(root, seed))(np.arange(8))
    return np.asarray(draw(keys))


def test_split_is_increasing_pairs_without_repetition(splits):
    assert splits.shape == (8, int(FRACTION * ORDER**2))
    assert (np.diff(splits, axis=1) > 0).all()
    assert splits.min() >= 0 and splits.max() < ORDER**2


def test_splits_of_different_seeds_differ_and_reach_every_pair(splits):
    assert len(np.unique(splits, axis=0)) == len(splits)
    assert len(np.unique(splits)) > 0.95 * ORDER**2


def test_split_of_a_seed_does_not_depend_on_the_seeds_beside_it(splits):
    root = jax.random.key(0)
    (alone,) = draw(jax.random.fold_in(root, 5)[None])
    np.testing.assert_array_equal(alone, splits[5])


@pytest.mark.parametrize("capacity", [None, 81])
def test_the_whole_table_is_split_into_all_pairs_and_none(capacity):
    pairs = split(jax.random.key(0), 9, 81, capacity)
    np.testing.assert_array_equal(pairs, np.arange(81))
    assert is_train(pairs, 9).all()


def test_train_mask_holds_the_training_pairs(splits):
    mask = np.asarray(is_train(jnp.array(splits[0]), ORDER))
    assert mask.shape == (ORDER, ORDER)
    expected = [
        [a * ORDER + b in splits[0] for b in range(ORDER)] for a in range(ORDER)
    ]
    np.testing.assert_array_equal(mask, expected)
