"""Many runs on devices: how they are laid out, compiled, trained and watched.

Only `ensemble.py` names vmap, shard_map and the mesh. `train.py` is the host's loop.
"""
