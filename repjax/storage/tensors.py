"""Tensors in a safetensors file, with a digest of all that it holds.

The digest is an entry of the file's metadata, so that both are written at once. Files
without one, as earlier versions wrote them, are read unchecked.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from repjax.settings.rules import ConfigError
from repjax.storage.files import write_atomically

_DIGEST = "sha256"


def write_tensors(
    path: Path, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]
) -> None:
    """Write `path` atomically."""
    from safetensors.numpy import save

    # safetensors writes the memory of an array, whatever its order.
    whole = {name: np.ascontiguousarray(x) for name, x in tensors.items()}
    data = save(whole, {**metadata, _DIGEST: _digest(whole, metadata)})
    write_atomically(path, lambda file: file.write(data))


def read_tensors(path: Path, form: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the tensors and the metadata in a file whose `format` is `form`.

    Raises:
        ConfigError: the file is missing, of another format, or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        data = path.read_bytes()
        tensors = load(data)
        # The header: its length in 8 bytes, then JSON.
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    except (OSError, SafetensorError, ValueError) as error:
        raise ConfigError(f"{path}: not a readable safetensors file: {error}") from None
    metadata = header.get("__metadata__") or {}
    if metadata.get("format") != form:
        raise ConfigError(f"{path}: not written by repjax as '{form}'")
    digest = metadata.pop(_DIGEST, None)
    if digest not in (None, _digest(tensors, metadata)):
        raise ConfigError(
            f"{path}: damaged: differs from its digest; put back a copy, or remove it"
        )
    return tensors, metadata


def _digest(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> str:
    """Return the SHA-256 of names, types, shapes and bytes, and of the metadata."""
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
        digest.update(tensor.tobytes())
    return digest.hexdigest()
