"""Folders as the paper's authors published them, of random MLPs on S_n."""

import json
import math
from pathlib import Path
from types import ModuleType

CFG = {
    "lr": 0.001,
    "weight_decay": 1,
    "betas": [0.9, 0.98],
    "layers": {"embed_dim": 64, "hidden_dim": 32},
    "model": "OneLayerMLP",
    "group": "SymmetricGroup",
    "group_parameter": 3,
    "frac_train": 0.4,
    "seed": 2,
    "num_epochs": 300,
}


def write_run(directory: Path, torch: ModuleType, cfg=(), tensors=()) -> Path:
    """A folder with cfg.json and model.pt, changed by `cfg` and `tensors`."""
    cfg = CFG | dict(cfg)
    order = math.factorial(cfg["group_parameter"])
    embed, hidden = cfg["layers"]["embed_dim"], cfg["layers"]["hidden_dim"]
    generator = torch.Generator().manual_seed(0)

    def normal(*shape):
        return torch.randn(*shape, generator=generator)

    state = {
        "W_x": normal(order, embed),
        "W_y": normal(order, embed),
        "W": normal(2 * embed, hidden),
        "W_U": normal(hidden, order),
    }
    directory.mkdir()
    (directory / "cfg.json").write_text(json.dumps(cfg))
    torch.save(state | dict(tensors), directory / "model.pt")
    return directory
