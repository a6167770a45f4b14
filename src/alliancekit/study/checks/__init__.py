"""The single checks of a study's data, one file per subject. Each takes a ``TableView`` and yields findings."""
