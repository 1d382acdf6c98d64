"""Train and evaluate many runs at once: shapes, shardings and programs of their arrays.

All else, but `turns.py` and `run_data.py`, is written for one run. Runs whose arrays
have the same shapes share one program; all other settings are data that they carry.
Runs are sharded over devices without communication. On each device they take turns,
`Plan.at_once` runs at a time: one on CPUs, all that fit on GPUs and TPUs, which one
small network cannot fill. Cores share a run only if a CPU has more cores than runs and
steps are long.
"""

import copy
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from repjax.analysis.basis import build_basis, pad_irreps
from repjax.analysis.evaluate import evaluate
from repjax.engine import backend, precision
from repjax.engine.jitted import Jitted
from repjax.engine.placement import Frame, bases_of, frame_of, num_pairs_of, plan_for
from repjax.engine.run_data import run_data
from repjax.engine.turns import in_batches, in_turn
from repjax.groups import build_group
from repjax.metrics import COUNTS, IN_TABLES, PER_IRREP
from repjax.models import build_model
from repjax.settings.config import CellConfig, shape_of
from repjax.storage import hosts
from repjax.training.blocks import Blocks
from repjax.training.optim import build_optimizer
from repjax.training.state import RunState
from repjax.training.step import init_run, train_steps
from repjax.typing import Array

ROOT_SEED = 0
"""Run `seed` has the key fold_in(key(ROOT_SEED), seed), in any company of runs."""

_BY_RUN = PartitionSpec("run")
_SAME = PartitionSpec()

_REST = tuple(name for name in (*COUNTS, *PER_IRREP) if name not in IN_TABLES)


class Ensemble:
    """The runs of some cells, in programs shared by cells of the same shapes.

    Attributes:
        cells: the cells trained, with their runs in this order.
        num_runs: number of runs in all cells.
        num_pairs: largest number of training pairs of a run.
        num_irreps: largest number of real irreps of a group.
        plan: layout of the runs.
        width: runs that the arrays hold; `fetch` drops the padding among them.
        mesh: the devices; devices in one row share their runs.
        overhead: seconds of a call of `train` that are not training; see `Parts`.
    """

    overhead = 0.0

    def __init__(
        self,
        cells: Sequence[CellConfig],
        devices: Sequence[jax.Device] | None = None,
        frame: Frame | None = None,
    ):
        """Prepare the programs of `cells`; each is compiled when first called.

        Their capacity is `frame`, by default that of these cells.
        """
        self._frame = frame or frame_of([cells])
        self.plan = plan_for(self._frame.cell, devices)
        teams, sharing = self.plan.teams, self.plan.sharing
        used = np.array((devices or jax.devices())[: self.plan.devices])
        order = build_group(cells[0].group).order
        self.capacity = num_pairs_of(self._frame.cell)
        self.mesh = Mesh(
            used.reshape(teams, sharing),
            ("run", "pair"),
            axis_types=(AxisType.Auto, AxisType.Auto),
        )
        self.width = self.plan.width
        self.model = build_model(self._frame.cell, order)
        self._take(cells)

    def with_cells(self, cells: Sequence[CellConfig]) -> "Ensemble":
        """Return the ensemble of other cells, sharing the programs of this one.

        The cells must have the same shapes and fit into the frame of this ensemble.
        """
        # Made before copying; otherwise each copy would make its own.
        _ = (self._init, self._train, self._evaluate_tables, self._evaluate_rest)
        other = copy.copy(self)
        other._take(cells)
        return other

    def _take(self, cells: Sequence[CellConfig]) -> None:
        """Make the runs of `cells` those of this ensemble."""
        frame = self._frame
        self.cells = tuple(cells)
        self.num_pairs = max(map(num_pairs_of, cells))
        bases = [
            build_basis(build_group(group), task) for group, task in bases_of(cells)
        ]
        self.num_irreps = max(basis.member.shape[0] for basis in bases)
        num_irreps = build_group(frame.cell.group).num_real_irreps
        assert all(shape_of(cell) == shape_of(frame.cell) for cell in cells)
        assert all(basis.labels.shape[0] == self.model.order for basis in bases)
        assert self.num_irreps <= num_irreps and len(bases) <= frame.num_bases
        assert self.num_pairs <= self.capacity
        # At least two: XLA removes the indexing of a stack of one, and then fuses and
        # rounds differently.
        missing = max(2, frame.num_bases) - len(bases)
        padded = [pad_irreps(basis, num_irreps) for basis in bases]
        self._lay_out(sum(len(cell.seeds) for cell in cells))
        stack = jax.tree.map(lambda *x: np.stack(x), *padded, *padded[:1] * missing)
        self._bases = self._put(stack, _SAME)
        self._data = self.place(run_data(cells))

    def _lay_out(self, num_runs: int) -> None:
        """Deal the runs out to the devices in turn."""
        teams = self.plan.teams
        place, team = np.divmod(np.arange(num_runs), teams)
        held = np.bincount(team, minlength=teams)
        assert num_runs <= self.plan.runs
        self.num_runs = num_runs
        self._slot = self.plan.slots * team + place
        # Turns that each device takes, `at_once` runs at a time.
        self._turns = -(-held // self.plan.at_once).astype(np.int32)

    def start_compiling(self) -> None:
        """Begin to compile, in threads, all that training needs besides `init`.

        Otherwise a program is compiled when it is first called. On several hosts it is,
        so that all compile in the same order.
        """
        if jax.process_count() > 1:
            return
        sharding = NamedSharding(self.mesh, _BY_RUN)
        state = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding),
            jax.eval_shape(self._init.function, self._data),
        )
        threads = ThreadPoolExecutor()
        training = self._data, self._bases.labels, self._turns, jnp.int32(0)
        self._train.start(threads, state, *training)
        measuring = self._data.basis, self._turns, self._bases
        for program in (self._evaluate_tables, self._evaluate_rest):
            program.start(threads, state, *measuring)
        threads.shutdown(wait=False)

    def init(self) -> RunState:
        """Return every run at step 0."""
        return self._init(self._data)

    def train(self, state: RunState, num_steps: int) -> tuple[RunState, Array]:
        """Take `num_steps` steps of every run; also return losses. Donates `state`."""
        labels = self._bases.labels
        return self._train(state, self._data, labels, self._turns, jnp.int32(num_steps))

    def evaluate(
        self, state: RunState, only_tables: bool = False
    ) -> dict[str, np.ndarray]:
        """Return all metrics of all runs, without padding; NaN for absent irreps.

        Args:
            state: the runs.
            only_tables: leave out metrics that no table shows. For large groups they
                cost most: for S6, ablations by irrep take 5 times as long as the rest.
        """
        # Two programs, so that a table has the same bits with and without the rest: as
        # one program they would be fused, and round, differently.
        programs = [self._evaluate_tables]
        if not only_tables:
            programs.append(self._evaluate_rest)
        index = self._data.basis
        measured: dict[str, np.ndarray] = {}
        for program in programs:
            measured |= self.fetch(program(state, index, self._turns, self._bases))
        return {
            name: x[..., : self.num_irreps] if x.ndim > 1 else x
            for name, x in measured.items()
        }

    def fetch(self, tree: Any) -> Any:
        """Return the tree on the host, without padding of runs or training pairs."""
        fetched = jax.tree.map(lambda x: x[self._slot], hosts.gather(tree))
        return self._in_states(self._without_padding, fetched)

    def weights(self, state: RunState) -> dict[str, np.ndarray]:
        """Return each weight of every run on the host, by its name."""
        return self.fetch(state.params["params"])

    def _without_padding(self, state: RunState) -> RunState:
        return state.replace(train_pairs=state.train_pairs[:, : self.num_pairs])

    def _in_states(self, function: Callable[[RunState], RunState], tree: Any) -> Any:
        """Apply `function` to the states in a tree, and leave the rest as it is."""

        def is_state(node):
            return isinstance(node, RunState)

        return jax.tree.map(
            lambda node: function(node) if is_state(node) else node,
            tree,
            is_leaf=is_state,
        )

    def to_save(self, state: RunState) -> RunState | hosts.Spread:
        """Return the state for a checkpoint; each of several hosts writes its rows."""
        if jax.process_count() == 1:
            return self.fetch(state)
        return hosts.Spread(self._without_padding(state), self._slot)

    def place(self, tree: Any) -> Any:
        """Put a fetched tree on the devices, padded with its first run."""
        run = np.zeros(self.width, int)
        run[self._slot] = np.arange(self.num_runs)
        missing = ((0, 0), (0, self.capacity - self.num_pairs))
        nothing = self.model.order**2
        tree = self._in_states(
            lambda state: state.replace(
                train_pairs=np.pad(state.train_pairs, missing, constant_values=nothing)
            ),
            tree,
        )
        return self._put(jax.tree.map(lambda x: np.asarray(x)[run], tree), _BY_RUN)

    def _put(self, tree: Any, spec: PartitionSpec) -> Any:
        """Put arrays that every host has on the devices of all hosts."""
        sharding = NamedSharding(self.mesh, spec)
        return jax.tree.map(
            lambda x: jax.make_array_from_callback(
                x.shape, sharding, np.asarray(x).__getitem__
            ),
            tree,
        )

    def abstract(self) -> RunState:
        """Return shapes and types of a fetched state."""
        wide = jax.eval_shape(self._init.function, self._data)
        pairs = wide.train_pairs
        wide = wide.replace(
            train_pairs=jax.ShapeDtypeStruct((self.width, self.num_pairs), pairs.dtype)
        )
        return jax.tree.map(
            lambda x: jax.ShapeDtypeStruct((self.num_runs, *x.shape[1:]), x.dtype), wide
        )

    @cached_property
    def _init(self) -> Jitted:
        def init(data):
            key = jax.random.fold_in(jax.random.key(ROOT_SEED), data.seed)
            model = self.model.clone(**data.initial)
            optimizer = build_optimizer(data.optimizer)
            return init_run(key, model, optimizer, data.num_pairs, self.capacity)

        # One after the other: sorting the pairs of all runs takes much memory.
        return self._compile(
            lambda runs: jax.lax.map(init, runs),
            (_BY_RUN,),
            compiler_options=backend.hasty_options(),
        )

    @cached_property
    def _train(self) -> Jitted:
        at_once = self.plan.at_once
        blocks = Blocks(
            size=self.plan.block,
            skip_empty=self.plan.skips_empty,
            segments=self.plan.segments,
            axis="pair" if self.plan.sharing > 1 else None,
            devices=self.plan.sharing,
            listed=self.plan.lists_pairs,
        )
        steps_a_turn = self.plan.steps_a_turn

        def train(states, data, labels, num_turns, num_steps):
            def one(run):
                state, settings = run
                of_group = labels[settings.basis].ravel()
                of_pairs = jnp.take(of_group, state.train_pairs, mode="clip")
                optimizer = build_optimizer(settings.optimizer)
                fixed = self.model, optimizer, of_pairs, blocks, steps_a_turn
                return train_steps(state, num_steps, *fixed)

            batched = partial(in_batches, one, size=at_once)
            return in_turn(batched, (states, data), num_turns[0], at_once)

        return self._compile(
            train,
            (_BY_RUN, _BY_RUN, _SAME, _BY_RUN, _SAME),
            precision.resolve(self._frame.cell, self.mesh.devices.flat[0]),
            donate_argnums=0,
            compiler_options=backend.training_options(),
        )

    @cached_property
    def _evaluate_tables(self) -> Jitted:
        # Evaluating takes less time than compiling.
        return self._evaluation(IN_TABLES, compiler_options=backend.hasty_options())

    @cached_property
    def _evaluate_rest(self) -> Jitted:
        return self._evaluation(_REST)

    def _evaluation(self, names: Collection[str], **jit_options) -> Jitted:
        """Return the program for these metrics; XLA drops what only others need.

        Always in full float32, so that metrics do not depend on training's precision.
        """
        at_once, evaluated = self.plan.at_once, self.plan.evaluated

        def evaluate_all(states, index, num_turns, bases):
            def one(run):
                state, mine = run
                basis = jax.tree.map(lambda x: x[mine], bases)
                metrics = evaluate(self.model, state.params, state.train_pairs, basis)
                metrics["trained_steps"] = state.step.astype(jnp.float32)
                return {name: metrics[name] for name in names}

            def batched(runs):
                return in_batches(one, runs, evaluated)

            return in_turn(batched, (states, index), num_turns[0], at_once)

        specs = (_BY_RUN, _BY_RUN, _BY_RUN, _SAME)
        return self._compile(evaluate_all, specs, **jit_options)

    def _compile(
        self,
        function: Callable,
        in_specs: tuple,
        matmul_precision: str = "highest",
        **jit_options,
    ) -> Jitted:
        """Compile for all devices; only devices that share a run communicate."""
        sharded = jax.shard_map(
            function,
            mesh=self.mesh,
            in_specs=in_specs,
            out_specs=_BY_RUN,
            check_vma=False,
        )

        def with_precision(*arguments):
            with jax.default_matmul_precision(matmul_precision):
                return sharded(*arguments)

        return Jitted(jax.jit(with_precision, **jit_options))
