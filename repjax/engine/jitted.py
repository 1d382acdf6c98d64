"""A jitted function that may be compiled in a thread before it is called."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any


class Jitted:
    """A function of `jax.jit`, called like it.

    Attributes:
        function: what `jax.jit` returned.
    """

    def __init__(self, function: Any):
        self.function = function
        self._compiled: Future[Callable] | None = None

    def start(self, threads: Executor, *arguments: Any) -> None:
        """Begin to compile for arguments like these, once; calls then wait for it.

        Args:
            threads: where to compile.
            arguments: arrays, or their shapes and shardings. All later calls must have
                the same ones.
        """

        def compiled():
            return self.function.lower(*arguments).compile()

        if self._compiled is None:
            self._compiled = threads.submit(compiled)

    def __call__(self, *arguments: Any) -> Any:
        """Call the function; wait for its compilation if that has begun."""
        if self._compiled is None:
            return self.function(*arguments)
        return self._compiled.result()(*arguments)
