"""Columns of the three files of a dataset, in order."""

from dataclasses import replace

from repjax.dataset.column import Column
from repjax.dataset.measures import (
    COUNTS,
    ENERGIES,
    EXPLAINED,
    PER_IRREP,
    SCALARS,
    SIMILARITY,
)
from repjax.metrics import GENERALISED, KEY_SIMILARITY, LEARNED_SIMILARITY, MEMORISED

KEY = (
    Column("cell", "text", "", "name of all runs that differ only in their seed"),
    Column("seed", "int32", "", "seed of the run: decides its weights and its pairs"),
)
"""They name a run in every file."""

SETTINGS = (
    Column("task", "text", "", "word in a and b that labels the pair (a, b)"),
    Column("num_steps", "int32", "steps", "optimiser steps: the stopping rule"),
    Column("train_fraction", "float64", "share", "share of all n² pairs that train"),
    Column("matmul_precision", "text", "", "precision of matrix products in training"),
    Column("optimizer.learning_rate", "float64", "", "step size of AdamW, constant"),
    Column(
        "optimizer.weight_decay",
        "float64",
        "",
        "decoupled weight decay, in units of the learning rate",
    ),
    Column("optimizer.beta1", "float64", "", "decay of the first moment, per step"),
    Column("optimizer.beta2", "float64", "", "decay of the second moment, per step"),
    Column("optimizer.eps", "float64", "", "ε of AdamW, outside the square root"),
    Column("mlp.embed_dim", "int32", "", "width of each factor's embedding", True),
    Column("mlp.hidden_dim", "int32", "neurons", "neurons", True),
    Column("transformer.num_heads", "int32", "", "attention heads", True),
    Column("transformer.d_model", "int32", "", "width of the residual stream", True),
    Column("transformer.d_head", "int32", "", "width of a head", True),
    Column("transformer.d_mlp", "int32", "neurons", "neurons", True),
    Column(
        "transformer.init_scale",
        "float64",
        "",
        "initial weights have standard deviation init_scale / √d_model",
        True,
    ),
    Column(
        "evaluation.num_evaluations",
        "int32",
        "",
        "log-spaced steps at which everything is measured, first and last included",
    ),
    Column("checkpoint.every_seconds", "float64", "s", "time between checkpoints"),
    Column("checkpoint.keep", "int32", "", "checkpoints kept on disk"),
    Column(
        "checkpoint.snapshots", "bool", "", "whether all evaluated weights are kept"
    ),
    Column("max_chunk_seconds", "float64", "s", "time between returns to the host"),
    Column(
        "runs_per_device",
        "int32",
        "",
        "runs trained together on a device; 0: chosen by the program",
    ),
)
"""Every setting of a run by its dotted key; null where the architecture has none."""

RUNS = (
    *KEY,
    Column("group", "text", "", "group as given: a name, or the path of a table"),
    Column(
        "small_group",
        "text",
        "",
        "its name in the Small Groups Library; null above order 100",
        True,
    ),
    Column("order", "int32", "elements", "n, the number of its elements"),
    Column("num_irreps", "int32", "", "number of its real irreps, trivial included"),
    Column("architecture", "text", "", "mlp, bilinear or transformer"),
    *SETTINGS,
    Column(
        "imported",
        "bool",
        "",
        "whether others trained it, so that only its last step was measured",
    ),
    Column("diverged", "bool", "", "whether a loss that is not finite ended the run"),
    Column(
        "generalised",
        "bool",
        "",
        f"whether its final test accuracy is at least {GENERALISED}; "
        "where every pair trains, its train accuracy",
    ),
    Column(
        "generalised_step",
        "int32",
        "steps",
        "first evaluated step at which it had generalised; null where training ended "
        "before (censored), and for imported runs",
        True,
    ),
    Column(
        "memorised_step",
        "int32",
        "steps",
        f"first evaluated step with a train accuracy of at least {MEMORISED}; "
        "null likewise",
        True,
    ),
    Column(
        "key_irreps",
        "texts",
        "",
        "key irreps at the end in order of learning; irreps learned at the same step, "
        "and those never learned, which come last, by falling similarity",
    ),
    *SCALARS,
    *EXPLAINED,
    *COUNTS,
)
"""One row for each run; metrics are those of the last step."""

IRREPS = (
    *KEY,
    Column("irrep", "text", "", "name of the real irrep ρ"),
    Column(
        "index", "int32", "", "its place in lists by irrep, from 0; trivial comes first"
    ),
    Column("dim", "int32", "", "real dimension d"),
    Column("type", "text", "", "real, complex or quaternionic (Frobenius and Schur)"),
    Column(
        "kernel", "int32", "elements", "number of elements that act as the identity"
    ),
    Column("faithful", "bool", "", "whether only the identity does"),
    Column(
        "orbit",
        "int32",
        "",
        "number of its orbit under the automorphisms of the group, by first irrep",
    ),
    Column(
        "is_key",
        "bool",
        "",
        f"whether it is not trivial and its final similarity is above {KEY_SIMILARITY}",
    ),
    Column(
        "learned_step",
        "int32",
        "steps",
        f"first evaluated step with a similarity above {LEARNED_SIMILARITY}; null if "
        "none, and for imported runs",
        True,
    ),
    *PER_IRREP,
    *ENERGIES,
)
"""One row for each run and real irrep; metrics are those of the last step."""

EVALUATIONS = (
    *KEY,
    Column("step", "int32", "steps", "optimiser steps before the evaluation"),
    *SCALARS,
    *EXPLAINED,
    *COUNTS,
    replace(
        SIMILARITY,
        kind="float32s",
        definition=f"{SIMILARITY.definition}, for every irrep in order of `index`",
        nullable=False,
    ),
)
"""One row for each run and evaluated step."""

FILES = {"runs": RUNS, "irreps": IRREPS, "evaluations": EVALUATIONS}
"""Columns of each file, by its name without ending."""

ROWS = {
    "runs": "one row for each run",
    "irreps": "one row for each run and real irrep of its group",
    "evaluations": "one row for each run and evaluated step",
}
