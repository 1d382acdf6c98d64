"""Regenerates Table 3 and seeds.csv from the checkpoints of one or many workdirs.

python -m repjax.table3 --workdir=DIR [--workdir=DIR2 …] [--out=DIR]
"""

import sys
from pathlib import Path

from absl import flags

from repjax import command_line
from repjax.rules import ConfigError

_FLAGS = flags.FlagValues()
_WORKDIRS = flags.DEFINE_multi_string(
    "workdir",
    [],
    "Directory that a sweep was trained in; give several to merge them.",
    flag_values=_FLAGS,
)
_OUT = flags.DEFINE_string(
    "out",
    None,
    "Directory of the tables; the first workdir if not given.",
    flag_values=_FLAGS,
)


def main() -> None:
    """Checkpoints → final metrics of all runs → tables."""
    if not _WORKDIRS.value:
        raise ConfigError("--workdir: missing; use a directory that was trained in")
    directories = [
        directory
        for workdir in _WORKDIRS.value
        for directory in cell_directories(Path(workdir))
    ]

    from repjax.ensemble import one_device_per_core
    from repjax.report.seeds import write_seeds
    from repjax.report.table3 import print_table3, write_table3
    from repjax.train import reevaluate

    one_device_per_core()
    results = []
    for directory in directories:
        try:
            cell = reevaluate(directory)
        except ValueError as error:  # a group or settings that are no longer known
            raise ConfigError(f"{directory}: {error}") from None
        if cell:
            results.append(cell)
        else:
            print(f"repjax: {directory} is not trained to the end", file=sys.stderr)
    if not results:
        raise ConfigError(
            f"--workdir: no cell in {', '.join(_WORKDIRS.value)} is trained to the end"
        )
    out = Path(_OUT.value or _WORKDIRS.value[0])
    write_seeds(results, out)
    write_table3(results, out)
    print_table3(results)


def cell_directories(workdir: Path) -> list[Path]:
    """The folders of cells in a workdir, by name; `ConfigError` if there is none."""
    found = sorted(path.parent for path in workdir.glob("*/config.json"))
    if not found:
        raise ConfigError(
            f"--workdir: '{workdir}' holds no cells; use one that was trained in"
        )
    return found


if __name__ == "__main__":
    command_line.run(main, _FLAGS)
