"""Files on disks and in buckets: locks, checkpoints, results, workdirs.

Who of several hosts writes is decided here, too. How anything is computed is not known.
"""
