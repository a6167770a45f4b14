"""The structural-equation engine (``ak.cfa``, ``ak.sem``, ``ak.growth``): a folder for each likelihood."""
