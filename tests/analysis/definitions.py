"""Every quantity of docs/metrics.md as it is defined there: slow, float64, n³ arrays.

Shares nothing with `repjax.analysis`: the networks are the textbook's, isotypic
projections come from characters in place of a Fourier matrix, and whatever is defined
on pairs is computed pair by pair.
"""

import numpy as np

from repjax.groups import Group, real_irreps
from tests import textbook

KEY_SIMILARITY = 0.005


def factors(architecture: str, weights: textbook.Weights) -> tuple:
    """A, B and U: what the hidden layer receives and what it is mapped by."""
    if architecture == "transformer":
        elements = weights["W_E"][:-1]
        return elements, elements, weights["W_out"] @ weights["W_U"]
    upper, lower = np.split(weights["W"], 2)
    return weights["W_x"] @ upper, weights["W_y"] @ lower, weights["W_U"]


def projections(group: Group, characters: np.ndarray) -> np.ndarray:
    """P_ρ[a, b] = (d/m)·χ(ab⁻¹)/n, with m = ⟨χ, χ⟩ = 1, 2 or 4 by type."""
    quotient = group.table[:, group.inverse]
    dims = characters[:, group.identity]
    multiplicities = np.round((characters**2).mean(axis=1))
    scale = dims / multiplicities / group.order
    return scale[:, None, None] * characters[:, quotient]


def evaluate(
    group: Group,
    architecture: str,
    weights: textbook.Weights,
    train_pairs: np.ndarray,
    labels: np.ndarray,
) -> dict[str, np.ndarray]:
    """All scalar and per-irrep metrics of one network."""
    n = group.order
    weights = textbook.in_float64(weights)
    a, b = np.divmod(np.arange(n * n), n)
    ab = labels[a, b]
    hidden, logits = textbook.FORWARD[architecture](weights, a, b)
    names = [irrep.name for irrep in real_irreps(group)]
    characters = np.stack([irrep.character for irrep in real_irreps(group)])
    project = projections(group, characters)
    train = np.isin(a * n + b, train_pairs)

    # Logit similarity, from T_ρ[a, b, c] itself.
    centred = logits - logits.mean(axis=1, keepdims=True)
    ideal = characters[:, group.table[ab][:, group.inverse]]
    norms = np.sqrt((ideal**2).sum(axis=(1, 2)) * (centred**2).sum())
    similarity = (ideal * centred).sum(axis=(1, 2)) / norms
    nontrivial = np.array([name != "trivial" for name in names])
    key = nontrivial & (similarity > KEY_SIMILARITY)

    def shares(functions):
        """Of ‖functions‖², in each isotypic subspace."""
        return ((project @ functions) ** 2).sum(axis=(1, 2)) / (functions**2).sum()

    left, right, unembedding = factors(architecture, weights)
    of_a, of_b, of_u = shares(left), shares(right), shares(unembedding.T)

    # Means over the pairs with one a, one b or one label; a label without pairs has
    # the mean over all.
    def means(values, index):
        pairs = [index == g if g in index else index >= 0 for g in range(n)]
        return np.stack([values[condition].mean(axis=0) for condition in pairs])

    offset = hidden - hidden.mean(axis=0)

    def share_of_pairs(index):
        power = ((project @ means(offset, index)) ** 2).sum(axis=(1, 2))
        return nontrivial * n * power / (offset**2).sum()

    hidden_a, hidden_b, hidden_ab = map(share_of_pairs, (a, b, ab))
    parts = (project @ means(hidden, ab))[:, ab]
    losses = textbook.cross_entropy(logits, ab)

    def restricted(part):
        return textbook.cross_entropy(part @ unembedding, ab).mean()

    def excluded(part):
        rest = (hidden - part) @ unembedding
        return textbook.cross_entropy(rest, ab)[train].mean()

    right_ones = logits.argmax(axis=1) == ab
    return {
        "train_loss": losses[train].mean(),
        "test_loss": losses[~train].mean(),
        "train_accuracy": right_ones[train].mean(),
        "test_accuracy": right_ones[~train].mean(),
        "excluded_loss": excluded(parts[key].sum(axis=0)),
        "restricted_loss": restricted(parts[key].sum(axis=0)),
        "fve_logits": (similarity[nontrivial] ** 2).sum(),
        "fve_w_a": of_a[key].sum(),
        "fve_w_b": of_b[key].sum(),
        "fve_w_u": of_u[key].sum(),
        "fve_mlp": (hidden_a + hidden_b + hidden_ab)[key].sum(),
        "fve_mlp_ab": hidden_ab[key].sum(),
        "weight_norm_sq": sum((w**2).sum() for w in weights.values()),
        "logit_similarity": similarity,
        "irrep_fve_w_a": of_a,
        "irrep_fve_w_b": of_b,
        "irrep_fve_w_u": of_u,
        "hidden_a": hidden_a,
        "hidden_b": hidden_b,
        "hidden_ab": hidden_ab,
        "irrep_restricted_loss": np.array([restricted(part) for part in parts]),
        "irrep_excluded_loss": np.array([excluded(part) for part in parts]),
    }
