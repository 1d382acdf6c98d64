"""Train many runs on many devices: layout, compilation, the loop and its progress.

Only `ensemble.py` names shard_map and the mesh, only `turns.py` vmap. `train.py` is the
host's loop.
"""
