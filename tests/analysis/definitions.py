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


def neuron_inputs(architecture: str, weights: textbook.Weights) -> tuple:
    """What each neuron receives from a and from b.

    For the transformer, which mixes them: before the ReLU, averaged over the other.
    """
    if architecture != "transformer":
        return factors(architecture, weights)[:2]
    # A second neuron with the opposite weights: ReLU(x) − ReLU(−x) = x.
    doubled = weights | {
        "W_in": np.hstack([weights["W_in"], -weights["W_in"]]),
        "W_out": np.vstack([weights["W_out"], weights["W_out"]]),
    }
    n = len(weights["W_E"]) - 1
    a, b = np.divmod(np.arange(n * n), n)
    hidden, _ = textbook.FORWARD[architecture](doubled, a, b)
    positive, negative = np.split(hidden.reshape(n, n, -1), 2, axis=2)
    return (positive - negative).mean(axis=1), (positive - negative).mean(axis=0)


def neuron_clusters(received, project, shares) -> dict[str, np.ndarray]:
    """Neuron by neuron; `shares(of, ρ, neurons)` is what ρ explains of their power."""

    def of_neuron(column):
        norm = (column**2).sum()
        return norm < 1, tuple(((project @ column) ** 2).sum(axis=1) > 1)

    by_left, by_right = ([of_neuron(c) for c in table.T] for table in received)
    member = np.array([clusters for _, clusters in by_left]).T
    metrics = {
        "cluster_neurons": member.sum(axis=1),
        "neurons_off": sum(off for off, _ in by_left),
        "neurons_disagreeing": sum(
            x != y for x, y in zip(by_left, by_right, strict=True)
        ),
    }
    for of in ("a", "b", "ab"):
        metrics[f"cluster_{of}"] = np.array(
            [shares(of, rho, neurons) for rho, neurons in enumerate(member)]
        )
    return metrics


def explained(group: Group, a, b, ab, logits) -> dict[str, float]:
    """What functions of triples (a, b, c) that forget something explain of L~."""
    n, table, inverse = group.order, group.table, group.inverse
    centred = logits - logits.mean(axis=1, keepdims=True)
    c = np.arange(n)
    forgetful = {
        "fve_class": group.classes[table[inverse[ab]][:, c]],
        "fve_ab": ab[:, None] * n + c,
        "fve_equivariant": table[table[inverse[a]][:, c], inverse[b][:, None]],
    }
    shares = {}
    for name, index in forgetful.items():
        values, index = centred.ravel(), index.ravel()
        count = np.bincount(index)
        mean = np.bincount(index, values) / np.maximum(count, 1)
        shares[name] = (mean[index] ** 2).sum() / (values**2).sum()
    own = logits[np.arange(n * n), ab]
    of_labels = [own[ab == z] for z in range(n) if (ab == z).any()]
    spread = np.mean([values.std() / abs(values.mean()) for values in of_labels])
    return {**shares, "equivariance_spread": spread}


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

    index_of = {"a": a, "b": b, "ab": ab}
    # (irrep, pair, neuron): the part of h~ in each irrep, as a function on pairs.
    part_of = {of: (project @ means(offset, i))[:, i] for of, i in index_of.items()}
    functions = {of: project @ means(offset, i) for of, i in index_of.items()}

    def share_of_cluster(of, rho, neurons):
        if not neurons.any():
            return 0.0
        power = n * (functions[of][rho][:, neurons] ** 2).sum()
        return power / (offset[:, neurons] ** 2).sum()

    def without(part):
        return textbook.cross_entropy(logits - part @ unembedding, ab).mean()

    def map_similarity(project_rho):
        ideal = project_rho
        actual = project_rho @ means(hidden, ab) @ unembedding @ project_rho
        return (ideal * actual).sum() / np.sqrt((ideal**2).sum() * (actual**2).sum())

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
        **{
            f"without_{of}_loss": np.array([without(part) for part in parts_of_h])
            for of, parts_of_h in part_of.items()
        },
        **neuron_clusters(
            neuron_inputs(architecture, weights), project, share_of_cluster
        ),
        "logit_map_similarity": np.array([map_similarity(p) for p in project]),
        **explained(group, a, b, ab, logits),
    }


def anatomy(
    group: Group, architecture: str, weights: textbook.Weights, labels: np.ndarray
) -> dict[str, np.ndarray]:
    """What `repjax.analysis.anatomy` gives, `logits_ab` and `unembedding` apart."""
    n = group.order
    weights = textbook.in_float64(weights)
    a, b = np.divmod(np.arange(n * n), n)
    ab = labels[a, b]
    hidden, logits = textbook.FORWARD[architecture](weights, a, b)
    irreps = real_irreps(group)
    characters = np.stack([irrep.character for irrep in irreps])
    project = projections(group, characters)
    offset = hidden - hidden.mean(axis=0)

    ideal = characters[:, group.table[ab][:, group.inverse]]
    centred = logits - logits.mean(axis=1, keepdims=True)
    norms = np.sqrt((ideal**2).sum(axis=(1, 2)) * (centred**2).sum())
    key = (ideal * centred).sum(axis=(1, 2)) / norms > KEY_SIMILARITY
    key[0] = False

    received = neuron_inputs(architecture, weights)[0]
    by_irrep = np.array([((p @ received) ** 2).sum(axis=0) for p in project])
    maps = [logit_map(group, i.matrices, hidden, weights, architecture, ab)
            for i in irreps]  # fmt: skip

    def loss(logits):
        return textbook.cross_entropy(logits, ab).mean()

    inside = logits @ project[key].sum(axis=0)
    return {
        "in_cluster": by_irrep > 1,
        "is_off": (received**2).sum(axis=0) < 1,
        "received": by_irrep,
        "hidden_power": (offset**2).sum(axis=0),
        "logit_map_distances": np.array(
            [np.linalg.norm(m - i) / np.linalg.norm(i) for m, i in maps]
        ),
        "loss": loss(logits),
        "key_space_loss": loss(inside),
        "complement_loss": loss(logits - inside),
    }


def logit_map(group, matrices, hidden, weights, architecture, ab) -> tuple:
    """M·U·ρ(c⁻¹)ᵀ with M = Bᵀ h over all pairs, and the same of tr ρ(ab)ρ(c⁻¹)."""
    n = group.order
    entries = matrices.reshape(n, -1)
    above = entries[group.inverse]
    of_pairs = entries[ab]
    actual = of_pairs.T @ hidden @ factors(architecture, weights)[2] @ above
    trace = np.einsum("pij,cji->pc", matrices[ab], matrices[group.inverse])
    ideal = of_pairs.T @ trace @ above
    ideal /= np.linalg.norm(ideal, 2)
    return actual * np.linalg.norm(ideal) / np.linalg.norm(actual), ideal
