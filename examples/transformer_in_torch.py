"""A transformer of repjax in plain PyTorch, and how far the logits are apart.

python -m repjax.export --workdir=DIR --run=S5_transformer/1 --out=F.safetensors
python examples/transformer_in_torch.py F.safetensors
"""

import json
import sys

import torch
from safetensors import safe_open


def load(path: str) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors under TransformerLens's names, and what the file says of them."""
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118


def logits(weights: dict[str, torch.Tensor], pairs: torch.Tensor) -> torch.Tensor:
    """Logits at "=" for pairs of elements: one block, no layer norm, no biases."""
    equals = len(weights["embed.W_E"]) - 1
    tokens = torch.nn.functional.pad(pairs, (0, 1), value=equals)
    residual = weights["embed.W_E"][tokens] + weights["pos_embed.W_pos"]
    query, key, value = (
        torch.einsum("ptm,hmd->phtd", residual, weights[f"blocks.0.attn.W_{name}"])
        for name in "QKV"
    )
    # At "=", the last position, a causal mask hides nothing.
    scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
    mixed = scores.softmax(dim=-1) @ value
    attended = torch.einsum("phtd,hdm->ptm", mixed, weights["blocks.0.attn.W_O"])
    residual = (residual + attended)[:, -1]
    hidden = torch.relu(residual @ weights["blocks.0.mlp.W_in"])
    residual = residual + hidden @ weights["blocks.0.mlp.W_out"]
    return residual @ weights["unembed.W_U"]


def main(path: str) -> None:
    """Prints what the network is and how much its two versions differ."""
    from repjax.export import load_export
    from repjax.groups import build_group
    from repjax.models import build_model

    weights, metadata = load(path)
    group = build_group(metadata["group"])
    pairs = torch.cartesian_prod(*[torch.arange(group.order)] * 2)
    in_torch = logits(weights, pairs)

    export = load_export(path)
    model = build_model(export.cell, group.order)
    in_jax = model.apply(export.params, *pairs.int().numpy().T)
    difference = (in_torch - torch.tensor(in_jax.tolist())).abs().max()

    labels = torch.tensor(group.table).flatten()
    accuracy = (in_torch.argmax(dim=1) == labels).float().mean()
    print(f"{metadata['group']}, seed {json.loads(metadata['seed'])}:")
    print(f"accuracy over all {len(pairs)} pairs in PyTorch: {accuracy:.4f}")
    print(f"largest logit: {in_torch.abs().max():.3f}")
    print(f"largest difference to the logits of repjax: {difference:.1e}")


if __name__ == "__main__":
    main(sys.argv[1])
