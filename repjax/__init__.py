"""repjax: which group representations do small networks learn, at scale.

In Python, `repjax.train` trains a config, `repjax.load` reads a workdir, and
`repjax.get_config` returns an experiment's settings. They are imported when they are
first used, so that `import repjax` takes no time.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from repjax.api import get_config, load, train
    from repjax.settings.rules import ConfigError

__version__ = "0.1.0"

__all__ = ["ConfigError", "get_config", "load", "train"]


def __getattr__(name: str) -> Any:
    """Import a function of the Python interface."""
    if name not in __all__:
        raise AttributeError(f"module 'repjax' has no attribute {name!r}")
    from repjax import api

    return getattr(api, name)


def __dir__() -> list[str]:
    """Return the names for completion in a notebook."""
    return sorted([*globals(), *__all__])
