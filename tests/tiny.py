"""The smallest cells that still are what they are."""

from pathlib import Path

from experiments import base
from repjax.engine.progress import Progress
from repjax.engine.train import train_sweep
from repjax.settings.config import CellConfig, from_config_dict
from repjax.settings.sweep import expand
from repjax.storage.results import CellResults


def tiny_cell(**changes) -> CellConfig:
    """Three runs of a 12-neuron network on S3, 40 steps; dotted keys with `__`."""
    config = base.get_config()
    with config.unlocked():
        config.groups = ("S3",)
        config.num_seeds = 3
        config.num_steps = 40
        config.train_fraction = 0.7
        config.mlp.embed_dim = 8
        config.mlp.hidden_dim = 12
        config.transformer.num_heads = 2
        config.transformer.d_model = 8
        config.transformer.d_head = 4
        config.transformer.d_mlp = 12
        config.evaluation.num_evaluations = 6
        for key, value in changes.items():
            config.update_from_flattened_dict({key.replace("__", "."): value})
    (cell,) = expand(from_config_dict(config))
    return cell


def train_cell(cell: CellConfig, workdir: Path, progress: Progress) -> CellResults:
    """Train one cell alone."""
    ((results,),) = train_sweep([cell], workdir, progress)
    return results
