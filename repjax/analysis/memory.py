"""Estimate the memory of an evaluation, in floats, from sizes alone."""

_CPU_BLOCK_ELEMENTS = 2**16
"""Floats in the largest array of a block: 256 KB, which a core keeps in its own cache.

All metrics of an S5 MLP take 76 ms with it, 97 ms with 2**18, 136 ms with 2**21."""

_BLOCK_ELEMENTS = 2**21
"""The same on accelerators: 8 MB, 2,880 pairs × 720 logits for S6.

Their product has 138 tiles of 128 × 128, about as many as an H200 has multiprocessors
(132), so that a single network fills it. Reasoned from sizes, not measured.
"""

_TOGETHER_ELEMENTS = 2**24
"""Floats in the blocks of all networks that an accelerator evaluates together: 64 MB.

A GPU needs 14 µs to read those, several times as long as a launch. All pairs of a small
group are less than a block, and more of its networks go together: 8 of S6, 36 of A5.
"""

_TABLE_ELEMENTS = 2**24
"""Floats in the n × n tables of the irreps that are ablated together: 64 MB.

A table for each irrep would be n³/2 floats for C_n. All irreps of the paper's groups
fit; for larger groups they go in batches, each of which visits all pairs again."""


def rows_at_once(order: int, width: int, on_cpu: bool) -> int:
    """Return the number of rows of the multiplication table in a block.

    Args:
        order: order of the group, and number of logits of a pair.
        width: width of the hidden layer.
        on_cpu: whether the device is a CPU core.
    """
    elements = _CPU_BLOCK_ELEMENTS if on_cpu else _BLOCK_ELEMENTS
    return min(order, max(1, elements // (order * max(order, width))))


def networks_at_once(order: int, width: int) -> int:
    """Return how many networks an accelerator evaluates together; a CPU takes one."""
    return max(1, _TOGETHER_ELEMENTS // _floats_of_block(order, width, on_cpu=False))


def irreps_at_once(order: int, num_irreps: int) -> int:
    """Return how many irreps are ablated in one batch; all batches are equal."""
    turns = -(-num_irreps // max(1, _TABLE_ELEMENTS // order**2))
    return -(-num_irreps // turns)


def floats_of_evaluation(order: int, num_irreps: int, width: int, on_cpu: bool) -> int:
    """Return the largest number of floats alive at once, besides the network.

    Counts, as XLA does, the logits of each irrep in a batch (of ρ(a), of ρ(b) and twice
    of ρ(ab)), other n × n tables, and blocks of pairs.
    """
    tables = 10 + 4 * irreps_at_once(order, num_irreps)
    return tables * order**2 + 24 * _floats_of_block(order, width, on_cpu)


def _floats_of_block(order: int, width: int, on_cpu: bool) -> int:
    return rows_at_once(order, width, on_cpu) * order * max(order, width)
