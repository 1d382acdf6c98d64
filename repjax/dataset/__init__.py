"""Results of finished cells as Parquet files with a data card, for other programs.

`columns` names, types and defines every column; `rows` fills them from results, and
`parquet`, `card` and docs/dataset.md all follow that one list. No jax.
"""
