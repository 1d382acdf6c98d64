"""Tables, figures and the page, from finished results alone.

`story.py` holds the data, `figures/` draws them, `templates/` makes the page. No jax.
"""
