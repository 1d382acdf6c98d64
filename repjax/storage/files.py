"""Atomic file writes: to a temporary name beside the file, then renamed.

Files may lie on a disk or, with the extra `gcs`, in a bucket: `as_path("gs://…")` gives
an object with pathlib's methods, and nothing that is handed one needs to know.
"""

import contextlib
import io
import json
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

import fsspec
from etils import epath

from repjax.settings.rules import ConfigError

_REMOTE = "gs://"


def as_path(name: str) -> Path:
    """The path that `name` stands for, on this machine or in a bucket."""
    if not name.startswith(_REMOTE):
        return Path(name)
    # What other machines have written since is to be seen.
    fsspec.config.conf.setdefault("gcs", {})["use_listings_cache"] = False
    return cast(Path, epath.Path(name))


def is_local(path: Path) -> bool:
    """Return whether `path` lies on this machine."""
    return not os.fspath(path).startswith(_REMOTE)


def files_below(directory: Path) -> Iterator[Path]:
    """Every file in a folder and the folders in it; `rglob` knows no buckets."""
    for path in sorted(directory.iterdir()):
        if path.is_dir():
            yield from files_below(path)
        else:
            yield path


def remove_tree(directory: Path) -> None:
    """Removes a folder and all in it."""
    epath.Path(directory).rmtree()


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Calls `write` on a file beside `path`, then renames it to `path`.

    Raises:
        OSError: with the name of the file, which that of a full disk lacks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # In containers, which may share a folder, all processes have the same number.
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with beside.open("wb") as file:
            write(file)
            file.flush()
            with contextlib.suppress(io.UnsupportedOperation):  # in a bucket
                os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        if error.errno and error.filename is None:
            error.filename = str(path)
        raise
    finally:
        with contextlib.suppress(OSError):  # on a disk that is now read-only
            beside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """`text` as UTF-8."""
    write_atomically(path, lambda file: file.write(text.encode()))


def write_json(path: Path, value: Any) -> None:
    """`value` as indented JSON with sorted keys."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True) + "\n")


def read_json(path: Path) -> Any:
    """The value in a JSON file; `ConfigError` if it holds none."""
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise ConfigError(
            f"{path}: not readable JSON ({error}); put back a copy of it, or remove it"
        ) from None
