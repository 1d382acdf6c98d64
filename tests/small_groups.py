"""Groups of every kind that tests name: the families, and Q8 from its table."""

import numpy as np

from repjax.groups import Group, build_group


def quaternion_group() -> Group:
    """Q8 as the units ±1, ±i, ±j, ±k of Hamilton's numbers, which multiply as such."""
    units = np.concatenate([np.eye(4), -np.eye(4)]).astype(int)

    def multiply(x, y):
        a, b, c, d = x
        e, f, g, h = y
        return (
            a * e - b * f - c * g - d * h,
            a * f + b * e + c * h - d * g,
            a * g - b * h + c * e + d * f,
            a * h + b * g - c * f + d * e,
        )

    index = {tuple(unit): i for i, unit in enumerate(units)}
    table = [[index[multiply(x, y)] for y in units] for x in units]
    return Group.from_table("Q8", table)


QUATERNION_GROUP = quaternion_group()


def small_group(name: str) -> Group:
    """The group called `name`."""
    return QUATERNION_GROUP if name == "Q8" else build_group(name)
