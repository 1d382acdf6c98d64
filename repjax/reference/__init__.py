"""Published numbers: the paper's table and settings, and the authors' files.

Numbers stand beside ours and enter none of them.
"""
