"""Estimate the memory of an evaluation, in floats, from sizes alone."""

_CPU_BLOCK_ELEMENTS = 2**16
"""Floats in the largest array of a block: 256 KB, which a core keeps in its own cache.

All metrics of an S5 MLP take 76 ms with it, 97 ms with 2**18, 136 ms with 2**21."""

_BLOCK_ELEMENTS = 2**21
"""The same on accelerators: 8 MB, 64 MB for the eight runs evaluated together.

A GPU needs 14 µs to read those, several times as long as a launch. Not measured.
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
    block = rows_at_once(order, width, on_cpu) * order * max(order, width)
    return tables * order**2 + 24 * block
