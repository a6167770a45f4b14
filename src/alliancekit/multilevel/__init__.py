"""The mixed-model engine (``ak.mixed``): a folder per likelihood with the same stage files; ``after/`` for the rest."""
