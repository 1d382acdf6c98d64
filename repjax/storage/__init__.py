"""Everything that is on a disk or in a bucket: files, locks, checkpoints, results.

Who of several hosts writes is decided here, too. How anything is computed is not known.
"""
