"""The methods of a structural fit by topic; each calls one file of ``after/``."""
