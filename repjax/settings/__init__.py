"""Settings: their rules, the config of a sweep, and its cells.

Every key is checked once, here, and is frozen afterwards. No arrays and no files.
"""
