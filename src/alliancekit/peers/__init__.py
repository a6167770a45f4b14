"""Second opinions: the same model in statsmodels, mixedlm and pingouin, with the differences (``ak.crosscheck``)."""
