"""Files on disks and in buckets: locks, checkpoints, results, workdirs.

Also decides which of several hosts writes. Nothing here depends on computations.
"""
