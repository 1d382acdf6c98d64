"""The order in which sympy generates permutation groups: that of the paper's weights.

The authors number S_n and A5 by `PermutationGroup.generate()`. It multiplies coset
representatives, one for each point of an orbit, down a chain of stabilisers; which
ones is settled by a base and a strong generating set, so these are all that has to be
known here. They are what sympy finds from the generators (0 1 … n-1) and (0 1) of S_n,
and (0 1 2 3 4) and (1 2)(3 4) of A5.
"""

import numpy as np
from jaxtyping import Int

# Base, then strong generators: the digits of each are the images of 0, 1, …
_STRONG_GENERATORS = {
    "S2": "0 10",
    "S3": "01 120 102 021",
    "S4": "012 1230 1023 0312 0132",
    "S5": "0132 12340 10234 04123 01243 01432",
    "S6": "01423 123450 102345 051234 012354 013542 012543",
    "S7": "015243 1234560 1023456 0612345 0123465 0134652 0123654 0124356 0126453",
    "A5": "012 12340 02143 04213 01342",
}


def generation_order(name: str) -> Int[np.ndarray, "group degree"]:
    """The permutations of S2 to S7 or A5 in sympy's order.

    Row g lists the images g(0), g(1), …; the identity can be any row.

    Raises:
        ValueError: the order of the group `name` is not known.
    """
    if name not in _STRONG_GENERATORS:
        raise ValueError(
            f"the element order of '{name}' is not known; "
            f"use one of {', '.join(_STRONG_GENERATORS)}"
        )
    base, *generators = (
        [int(digit) for digit in word] for word in _STRONG_GENERATORS[name].split()
    )
    elements = np.arange(len(generators[0]), dtype=np.int32)[None]
    # Outermost the last stabiliser, innermost the orbit of the whole group.
    for level in reversed(range(len(base))):
        fixing = [g for g in generators if all(g[i] == i for i in base[:level])]
        cosets = _transversal(base[level], np.array(fixing, np.int32))
        # Each element first, then the representative of the coset.
        elements = cosets[:, elements].swapaxes(0, 1).reshape(-1, elements.shape[1])
    return elements


def _transversal(
    point: int, generators: Int[np.ndarray, "generator degree"]
) -> Int[np.ndarray, "orbit degree"]:
    """A permutation from `point` to each point of its orbit, in increasing order.

    Found breadth first, which decides among the many there are.
    """
    found = {point: np.arange(generators.shape[1], dtype=np.int32)}
    queue = [point]
    for reached in queue:
        for generator in generators:
            image = int(generator[reached])
            if image not in found:
                found[image] = generator[found[reached]]
                queue.append(image)
    return np.stack([found[image] for image in sorted(found)])
