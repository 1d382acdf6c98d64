"""Figures of the report, drawn with matplotlib from the data of a story.

A figure is a function from a story, or a sweep, to a matplotlib figure; `gallery.py`
lists them all. Nothing here reads files or computes statistics.
"""
