"""The paper's authors' way to score a network, float64, mistakes and all.

Written from what their numbers are, pair by pair where they go pair by pair. What is
mistaken comes in from outside: the columns that stand for an irrep.
"""

from collections.abc import Mapping

import numpy as np
from scipy.spatial.transform import Rotation
from scipy.special import logsumexp
from sympy.combinatorics import Permutation, PermutationGroup

from repjax.groups import build_group
from repjax.reference.formats import our_index
from repjax.reference.runs import PublishedRun
from tests import textbook
from tests.analysis.definitions import factors

RIGHT_AXIS = (1 + 5**0.5) / 4  # makes the axis of A5's five-fold rotation a unit vector
WRONG_AXIS = (1 + 5**0.5) / 5


def a5_rotations(axis: float) -> dict[str, np.ndarray]:
    """Matrices of A5's 3d_a and 3d_b from two generators, in our order of elements.

    The rotation by 2π/5 about s·(1/2, `axis`, 0), with s = √(8/(5+√5)), stands for
    (0 1 2 3 4), the half turn about y for (1 2)(3 4). Each element is a word in them.
    """
    turn, flip = Permutation([1, 2, 3, 4, 0]), Permutation([0, 2, 1, 4, 3])
    scale = (8 / (5 + 5**0.5)) ** 0.5
    fifth = Rotation.from_rotvec(2 * np.pi / 5 * scale * np.array([0.5, axis, 0.0]))
    matrix = {
        turn: fifth.as_matrix(),
        turn**-1: fifth.inv().as_matrix(),
        flip: np.diag([-1.0, 1.0, -1.0]),
    }
    group = PermutationGroup(turn, flip)
    elements = list(group.generate())
    products = []
    for element in elements:
        product = np.eye(3)
        for generator in group.generator_product(element, original=True):
            product = product @ matrix[generator]
        products.append(product)
    swap = Permutation([1, 0, 2, 3, 4])
    conjugate = [elements.index(swap * element * swap) for element in elements]
    theirs = np.stack(products)
    place = np.argsort(our_index("A5"))
    return {"3d_a": theirs[place], "3d_b": theirs[conjugate][place]}


def rotation_entries(order: int, frequency: int) -> np.ndarray:
    """The four entries of a 2×2 rotation matrix for each element of C_n, in float32."""
    angle = 2 * np.pi * frequency * np.arange(order) / order
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([cos, -sin, sin, cos], axis=1).astype(np.float32)


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """−log softmax(logits)[label] of each row, in range for any logits.

    Columns of round-off may lie on a single pair, whose logits they multiply: by 800
    it has been seen, where exp overflows at 709.
    """
    above = logits - np.take_along_axis(logits, labels[:, None], axis=1)
    np.put_along_axis(above, labels[:, None], -np.inf, axis=1)
    return np.logaddexp(0, logsumexp(above, axis=1))


class Scorer:
    """The hidden layer and logits of one network, and what becomes of them."""

    def __init__(self, run: PublishedRun):
        group = build_group(run.cell.group)
        self.order = group.order
        self.left, self.right = np.divmod(np.arange(self.order**2), self.order)
        self.label = group.table[self.left, self.right]
        self.train = run.train_pairs
        weights = textbook.in_float64(run.weights)
        architecture = run.cell.architecture
        self.tables = factors(architecture, weights)
        self.hidden, logits = textbook.FORWARD[architecture](
            weights, self.left, self.right
        )
        self.centred = logits - logits.mean(axis=1, keepdims=True)
        self.quotient = group.table[:, group.inverse]

    def similarity(self, character: np.ndarray) -> float:
        """cos(vec L~, vec T), T[a, b, c] = χ(ab·c⁻¹) for any function χ."""
        ideal = character[self.quotient][self.label]
        norms = np.sqrt((ideal**2).sum() * (self.centred**2).sum())
        return float((ideal * self.centred).sum() / norms)

    def of_weights(self, columns: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Shares of A, B and U in the span of `columns` (element × column) by irrep."""
        left, right, unembedding = self.tables
        shares = dict.fromkeys(("fve_w_a", "fve_w_b", "fve_w_u"), 0.0)
        for entries in columns.values():
            basis = np.linalg.qr(entries)[0]
            for name, table in zip(shares, (left, right, unembedding.T), strict=True):
                shares[name] += float(((basis.T @ table) ** 2).sum() / (table**2).sum())
        return shares

    def hidden_basis(
        self, entries: np.ndarray, of: str, keep: int | None = None, roll: int = 0
    ) -> np.ndarray:
        """Orthonormal functions on pairs that stand for an irrep.

        Args:
            entries: columns, functions on the group.
            of: "left", "right" or "label", what of a pair they are functions of.
            keep: number of results to keep, in the order of the columns; all if None.
            roll: pair that comes first; rounding depends on it.
        """
        import torch

        over_pairs = np.roll(entries[getattr(self, of)], -roll, axis=0)
        basis = torch.linalg.qr(torch.tensor(over_pairs))[0]  # in their own precision
        return np.roll(basis.double().numpy(), roll, axis=0)[:, :keep]

    def of_hidden(
        self, columns: Mapping[str, np.ndarray], keep: int | None = None, roll: int = 0
    ) -> dict[str, float]:
        """Shares of the hidden layer, and losses when irreps are left or removed.

        `restricted_elsewhere` is the restricted loss over all pairs but the four that
        come first in `hidden_basis`.
        """
        offset = self.hidden - self.hidden.mean(axis=0)
        share = {"left": 0.0, "right": 0.0, "label": 0.0}
        part = np.zeros_like(self.hidden)
        for entries in columns.values():
            for of in share:
                basis = self.hidden_basis(entries, of, keep, roll)
                share[of] += float(((basis.T @ offset) ** 2).sum() / (offset**2).sum())
            part += basis @ (basis.T @ self.hidden)  # the last: functions of the label
        unembedding, train = self.tables[2], self.train
        rest = (self.hidden - part)[train] @ unembedding
        excluded = cross_entropy(rest, self.label[train])
        restricted = cross_entropy(part @ unembedding, self.label)
        return {
            "fve_mlp": sum(share.values()),
            "fve_mlp_ab": share["label"],
            "excluded_loss": float(excluded.mean()),
            "restricted_loss": float(restricted.mean()),
            "restricted_elsewhere": float(np.roll(restricted, -roll)[4:].mean()),
        }
