"""The structural-equation engine (``ak.cfa``, ``ak.sem``, ``ak.growth``): a folder per likelihood with the same stage files."""
