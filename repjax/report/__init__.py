"""Tables, figures and the page, from finished results alone.

`story.py` is what is told, `figures/` how it is drawn, `templates/` the page. No jax.
"""
