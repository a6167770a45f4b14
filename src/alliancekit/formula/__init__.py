"""Mixed-model formulas in lme4 syntax, turned into design matrices. User text is parsed, never evaluated as Python."""
