"""A study's data: read, validate, score, derive, describe; one TOML file per questionnaire in ``instruments/``."""
