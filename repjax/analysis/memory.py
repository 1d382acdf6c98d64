"""Estimate the memory of an evaluation, in floats, from sizes alone."""

_CPU_BLOCK_ELEMENTS = 2**16
"""Floats in the largest array of a block: 256 KB, which a core keeps in its own cache.

All metrics of an S5 MLP take 76 ms then, with 2**18 97 ms, with 2**21 136 ms."""

_BLOCK_ELEMENTS = 2**21
"""The same elsewhere: 8 MB, enough work for every launch of a kernel."""

_TABLE_ELEMENTS = 2**24
"""Floats in the n × n tables of the irreps that are taken out together: 64 MB.

One for each irrep would be n³/2 floats for C_n. All irreps of the paper's groups fit;
where they do not, they take turns, each of which visits the pairs anew."""


def rows_at_once(order: int, width: int, on_cpu: bool) -> int:
    """Rows of the multiplication table in a block.

    Args:
        order: of the group, and logits of a pair.
        width: of the hidden layer.
        on_cpu: whether a core computes it.
    """
    elements = _CPU_BLOCK_ELEMENTS if on_cpu else _BLOCK_ELEMENTS
    return min(order, max(1, elements // (order * max(order, width))))


def irreps_at_once(order: int, num_irreps: int) -> int:
    """Irreps that are taken out in one turn, all turns being of one size."""
    turns = -(-num_irreps // max(1, _TABLE_ELEMENTS // order**2))
    return -(-num_irreps // turns)


def floats_of_evaluation(order: int, num_irreps: int, width: int, on_cpu: bool) -> int:
    """Return the largest number of floats that exist together, besides the network.

    The logits that go with each irrep of a turn (with ρ(a), with ρ(b) and twice with
    ρ(ab)), other n × n tables, and blocks of pairs, counted as XLA counts them.
    """
    tables = 10 + 4 * irreps_at_once(order, num_irreps)
    block = rows_at_once(order, width, on_cpu) * order * max(order, width)
    return tables * order**2 + 24 * block
