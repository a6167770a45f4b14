"""Linear mixed models of a parquet file larger than memory: read in chunks, kept as cross-products.

Stages: ``source`` (chunks of complete rows) -> ``levels`` (categories and groups) -> ``coder`` (formula to columns) ->
``survey`` (size and centre of the columns, which group lies in which) -> ``products`` -> ``fit``.
"""
