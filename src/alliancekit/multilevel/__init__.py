"""The mixed-model engine (``ak.mixed``): one folder per likelihood with the same stage files, ``after/`` for what follows a fit."""
