"""Libraries that only some commands need, and the extras that install them."""

import importlib
from types import ModuleType

from repjax.settings.rules import ConfigError


def require(library: str, extra: str, what: str) -> ModuleType:
    """Import a library that the base install lacks.

    Args:
        library: name of the module.
        extra: extra of repjax that installs it.
        what: setting or function that needs it, the first word of the message.

    Raises:
        ConfigError: the library is not installed.
    """
    try:
        return importlib.import_module(library)
    except ImportError:
        raise ConfigError(
            f"{what}: needs {library.partition('.')[0]}, which is not installed; "
            f"use pip install 'repjax[{extra}]'"
        ) from None
