"""What was published: the paper's table and settings, and its authors' files.

Numbers stand beside ours and enter none of them.
"""
