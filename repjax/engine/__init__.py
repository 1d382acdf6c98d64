"""Train many runs on many devices: layout, compilation, the loop and its progress.

Only `ensemble.py` names vmap, shard_map and the mesh. `train.py` is the host's loop.
"""
