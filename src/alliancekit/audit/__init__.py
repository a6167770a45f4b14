"""Assumption checks, one per file: each returns pass, warn, refuse or "not checked", with the evidence and advice."""
