"""Every setting with its default and unit. Studies start from here and change a few.

Not an experiment of its own, though it runs: four seeds of the paper's S5 MLP.
Any key can be changed on the command line: --config.optimizer.weight_decay=0.3
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    """The defaults: the paper's networks and optimiser."""
    config = ConfigDict()

    # What to train: every group with every architecture.

    config.groups = ("S5",)  # names that `repjax groups` knows, or files
    config.architectures = ("mlp",)  # networks; each has its sizes below
    config.num_seeds = 4  # runs per cell
    config.first_seed = 1  # seeds are first_seed, first_seed + 1, …
    config.task = "a*b"  # word in a, b, a^-1, b^-1 that labels the pair (a, b)

    # Training: full batch, constant learning rate.

    config.num_steps = 250_000  # optimiser steps
    config.train_fraction = 0.4  # share of all n² pairs; 1: none is left to test on
    # Of matrix products in training: default (TF32 on a GPU), high, highest (float32);
    # auto: TF32 where it was shown to agree with float32.
    config.matmul_precision = "highest"

    # AdamW.
    config.optimizer = ConfigDict()
    config.optimizer.learning_rate = 1e-3  # step size, constant
    config.optimizer.weight_decay = 1.0  # decoupled, in units of the learning rate
    config.optimizer.beta1 = 0.9  # decay of the first moment, per step
    config.optimizer.beta2 = 0.98  # decay of the second moment, per step
    config.optimizer.eps = 1e-8  # outside the square root; sets the floor of the loss

    # Sizes of mlp and bilinear.
    config.mlp = ConfigDict()
    config.mlp.embed_dim = 256  # width of each factor's embedding
    config.mlp.hidden_dim = 128  # neurons

    # Sizes of the transformer.
    config.transformer = ConfigDict()
    config.transformer.num_heads = 4  # heads
    config.transformer.d_model = 128  # width of the residual stream
    config.transformer.d_head = 32  # width of a head
    config.transformer.d_mlp = 512  # neurons
    config.transformer.init_scale = 0.8  # initial weights: N(0, (this / √d_model)²)

    # When to measure and save.
    config.evaluation = ConfigDict()
    config.evaluation.num_evaluations = 100  # log-spaced steps, first and last included
    config.checkpoint = ConfigDict()
    config.checkpoint.every_seconds = 60.0  # seconds between checkpoints
    config.checkpoint.keep = 2  # newest checkpoints kept on disk
    config.checkpoint.snapshots = False  # also keep the weights at every evaluation
    config.max_chunk_seconds = 5.0  # seconds between two returns to the host
    # Runs trained together on a device; 0: all that fit, on CPUs one after the other.
    config.runs_per_device = 0

    # Live curves of each cell, in the workdir: none, tensorboard, wandb (the last two
    # are extras: pip install 'repjax[tensorboard]').
    config.log = "none"

    # Exceptions for some cells: (pattern on "group/architecture", key, value), the last
    # match counts. Values given on the command line take precedence.
    config.overrides = ()  # e.g. (("*/transformer", "num_steps", 50_000),)
    # Settings to vary: (key, values), one cell for each combination.
    config.sweep = ()  # e.g. (("optimizer.weight_decay", (0.3, 1.0)),)

    return config.lock()  # a key that is not above is a mistake, to be said at once
