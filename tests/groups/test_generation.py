import numpy as np
import pytest
from sympy.combinatorics import Permutation, PermutationGroup, SymmetricGroup

from repjax.groups.generation import generation_order


@pytest.mark.parametrize("degree", [2, 3, 4, 5, 6, 7])
def test_symmetric_groups_are_in_the_order_of_sympy(degree):
    elements = np.array(list(SymmetricGroup(degree).generate(af=True)))
    np.testing.assert_array_equal(generation_order(f"S{degree}"), elements)


def test_a5_is_in_the_order_of_sympy():
    generators = [Permutation([1, 2, 3, 4, 0]), Permutation([0, 2, 1, 4, 3])]
    elements = np.array(list(PermutationGroup(generators).generate(af=True)))
    np.testing.assert_array_equal(generation_order("A5"), elements)


def test_other_groups_have_no_order():
    with pytest.raises(ValueError, match="'A6' is not known; use one of S2, S3"):
        generation_order("A6")
