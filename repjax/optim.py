"""AdamW as in the paper."""

import optax

from repjax.config import OptimizerConfig


def build_optimizer(config: OptimizerConfig) -> optax.GradientTransformation:
    """AdamW with decoupled weight decay on every weight, constant learning rate.

    `eps` stands outside the square root, as in PyTorch. It is a result, not a detail:
    weight decay balances the gradient at eps · decay · weight, so the final training
    loss is proportional to it.
    """
    return optax.adamw(
        config.learning_rate,
        b1=config.beta1,
        b2=config.beta2,
        eps=config.eps,
        weight_decay=config.weight_decay,
    )
