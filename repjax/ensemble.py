"""All runs of a cell at once: the only file that knows the `run` axis.

Everything else is written for one run. Here the runs are sharded over devices, with no
communication, and on each device either batched (`vmap`, where one run cannot fill the
device) or taken in turn (`lax.map`, on CPUs).
"""

import math
import os
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from repjax.analysis.basis import build_basis
from repjax.analysis.evaluate import evaluate
from repjax.config import CellConfig
from repjax.groups import build_group
from repjax.models import build_model
from repjax.optim import build_optimizer
from repjax.state import RunState
from repjax.step import init_run, train_steps
from repjax.typing import Array, Int

ROOT_SEED = 0
"""Run `seed` has the key fold_in(key(ROOT_SEED), seed), whatever runs beside it."""

_BY_RUN = PartitionSpec("run")
_SAME = PartitionSpec()

EVALUATIONS_AT_ONCE = 8
"""Runs evaluated together on an accelerator; each needs a few blocks of 8 MB."""


def one_device_per_core() -> None:
    """Makes every core of the host a device; call before jax is first used.

    XLA runs one of these small programs on little more than one core (on 2 cores, two
    devices train 2.0 times as many steps a second as one), so runs are spread over
    cores as over accelerators. JAX_NUM_CPU_DEVICES stands above this.
    """
    if "JAX_NUM_CPU_DEVICES" not in os.environ:
        jax.config.update("jax_num_cpu_devices", _num_cores())


def _num_cores() -> int:
    """Cores that this process may use; macOS and Windows know no affinity."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def usable_devices(num_runs: int) -> list[jax.Device]:
    """The devices that `num_runs` runs are spread over.

    Accelerators no more than there are runs. On CPUs all: cores without a run rest, and
    the program, whose rounding is not quite the same for another number of devices, is
    that of any other number of runs.
    """
    devices = jax.devices()
    return devices if devices[0].platform == "cpu" else devices[:num_runs]


def slots_per_device(num_runs: int, devices: Sequence[jax.Device]) -> int:
    """Number of runs that the program on each device holds, padding included.

    On CPUs at least two, though a second one that is padding takes no turn: indexing an
    array of one run is no indexing to XLA, which then fuses and rounds in another way,
    and the bits of a run would depend on how many runs share its device.
    """
    per_device = math.ceil(num_runs / len(devices))
    return max(per_device, 2) if devices[0].platform == "cpu" else per_device


class Ensemble:
    """The runs of one cell as one program.

    Attributes:
        cell: what is trained.
        num_runs: runs of the cell.
        width: runs that the arrays hold; `fetch` drops what is padding.
        mesh: the devices, in one row.
    """

    def __init__(self, cell: CellConfig, devices: Sequence[jax.Device] | None = None):
        """Prepares the programs of `cell`; each is compiled when first called."""
        devices = devices or usable_devices(len(cell.seeds))
        group = build_group(cell.group)
        self.cell = cell
        self.num_runs = len(cell.seeds)
        self.mesh = Mesh(np.array(devices), ("run",), axis_types=(AxisType.Auto,))
        slots = slots_per_device(self.num_runs, devices)
        self.width = slots * len(devices)
        turn, device = np.divmod(np.arange(self.num_runs), len(devices))
        self._slot = slots * device + turn
        self._turns = np.bincount(device, minlength=len(devices)).astype(np.int32)
        self.model = build_model(cell, group.order)
        self.optimizer = build_optimizer(cell.optimizer)
        self.basis = build_basis(group, cell.task)
        self.in_turn = devices[0].platform == "cpu"

    def init(self) -> RunState:
        """Every run at step 0."""
        return self._init(self.place(np.array(self.cell.seeds, np.uint32)))

    def train(self, state: RunState, num_steps: int) -> tuple[RunState, Array]:
        """`num_steps` steps of every run; `state` is donated. Also the last losses."""
        return self._train(state, self._turns, jnp.int32(num_steps))

    def evaluate(self, state: RunState) -> dict[str, np.ndarray]:
        """Every metric of every run, without padding."""
        return self.fetch(self._evaluate(state, self._turns, self.basis))

    def fetch(self, tree: Any) -> Any:
        """The tree on the host, without padding."""
        return jax.tree.map(lambda x: x[self._slot], jax.device_get(tree))

    def place(self, tree: Any) -> Any:
        """The tree of a fetched ensemble on the devices, padded with its first run."""
        run = np.zeros(self.width, int)
        run[self._slot] = np.arange(self.num_runs)
        by_run = NamedSharding(self.mesh, _BY_RUN)
        return jax.device_put(jax.tree.map(lambda x: x[run], tree), by_run)

    def abstract(self) -> RunState:
        """Shapes and types of a fetched state."""
        wide = jax.eval_shape(
            self._init, jax.ShapeDtypeStruct((self.width,), np.uint32)
        )
        return jax.tree.map(
            lambda x: jax.ShapeDtypeStruct((self.num_runs, *x.shape[1:]), x.dtype), wide
        )

    @cached_property
    def _init(self) -> Callable[[Int[Array, " run"]], RunState]:
        def init(seed):
            key = jax.random.fold_in(jax.random.key(ROOT_SEED), seed)
            return init_run(key, self.model, self.optimizer, self.cell.train_fraction)

        return self._compile(lambda seeds: jax.vmap(init)(seeds), (_BY_RUN,))

    @cached_property
    def _train(self) -> Callable[..., tuple[RunState, Array]]:
        step = partial(
            train_steps,
            model=self.model,
            optimizer=self.optimizer,
            labels=self.basis.labels,
        )

        def train(state, num_turns, num_steps):
            def one(run):
                return step(run, num_steps)

            if self.in_turn:
                return _in_turn(one, state, num_turns[0])
            return jax.vmap(one)(state)

        return self._compile(train, (_BY_RUN, _BY_RUN, _SAME), donate_argnums=0)

    @cached_property
    def _evaluate(self) -> Callable[..., dict[str, Array]]:
        def evaluate_all(state, num_turns, basis):
            def one(run):
                return evaluate(self.model, run.params, run.train_pairs, basis)

            if self.in_turn:
                return _in_turn(one, state, num_turns[0])
            return jax.lax.map(one, state, batch_size=EVALUATIONS_AT_ONCE)

        return self._compile(evaluate_all, (_BY_RUN, _BY_RUN, _SAME))

    def _compile(self, function: Callable, in_specs: tuple, **jit_options) -> Callable:
        """One program over all devices, which do not communicate."""
        sharded = jax.shard_map(
            function,
            mesh=self.mesh,
            in_specs=in_specs,
            out_specs=_BY_RUN,
            check_vma=False,
        )

        def with_precision(*arguments):
            with jax.default_matmul_precision(self.cell.matmul_precision):
                return sharded(*arguments)

        return jax.jit(with_precision, **jit_options)


def _in_turn(function: Callable, runs: Any, num_turns: Int[Array, ""]) -> Any:
    """`jax.lax.map(function, runs)` for the first `num_turns` runs.

    The number is an operand: padding takes no turn, and one run is compiled as many
    are (see `slots_per_device`).
    """

    def take(index):
        return jax.tree.map(
            lambda x: jax.lax.dynamic_index_in_dim(x, index, keepdims=False), runs
        )

    def turn(index, results):
        return jax.tree.map(
            lambda all_, one: jax.lax.dynamic_update_index_in_dim(all_, one, index, 0),
            results,
            function(take(index)),
        )

    width = jax.tree.leaves(runs)[0].shape[0]
    one = jax.eval_shape(lambda: function(take(0)))
    empty = jax.tree.map(lambda x: jnp.zeros((width, *x.shape), x.dtype), one)
    return jax.lax.fori_loop(0, num_turns, turn, empty)
