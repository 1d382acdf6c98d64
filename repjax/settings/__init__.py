"""What is asked for: rules of settings, a sweep's config, its cells.

Every key is checked once, here, and is frozen afterwards. No arrays and no files.
"""
