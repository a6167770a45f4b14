"""Auxiliary variables: correlates of the missing values that stand outside the model (saturated correlates).

Each is correlated with all other auxiliary variables, with the covariates, and with the residuals of all other observed
variables (Graham 2003, Struct Equ Modeling 10, 80-100), so that the model itself is as restrictive as without them. The
same covariances are free in the baseline, since incremental fit is about what the model explains. lavaan 0.6-14 does so
in its chi-square of a baseline that is handed over, as by ``semTools::auxiliary``. Its robust CFI and TLI join the df
of that baseline to chi-square and scaling of one in which the auxiliary variables stand alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from alliancekit.core.errors import SpecError, message
from alliancekit.formula.model_statements import CONSTRAINTS, Statement
from alliancekit.structural.variables import find_variables


def add_auxiliary(statements: Sequence[Statement], names: Sequence[str]) -> tuple[Statement, ...]:
    """Return the statements of a model with those of auxiliary variables.

    Raises
    ------
    SpecError : an auxiliary variable is part of the model, is named twice, or the model has two levels.
    """
    relations = [s for s in statements if s.op not in CONSTRAINTS]
    if any(s.level is not None for s in relations):
        raise SpecError(message("auxiliary variables are for models of one level", do="Leave auxiliary= out"))
    roles = find_variables([(s.lhs, s.op, s.rhs, 1) for s in relations])
    for name in names:
        if name in roles.observed or name in roles.latent:
            what = f"'{name}' is an auxiliary variable and part of the model"
            raise SpecError(message(what, do="Name it in one place only"))
    if len(set(names)) < len(names):
        raise SpecError(message("an auxiliary variable is named twice", do="Name each once"))
    covariates = list(roles.exogenous)
    pairs = [(one, other) for i, one in enumerate(covariates) for other in covariates[i:]]
    pairs += [(one, other) for i, one in enumerate(names) for other in names[i:]]
    pairs += [(observed, name) for observed in roles.observed for name in names]
    extra = [_statement(lhs, "~~", rhs) for lhs, rhs in pairs]
    extra += [_statement(name, "~1", "") for name in (*covariates, *names)]
    known = {(s.lhs, s.op, s.rhs) for s in relations}
    known |= {(rhs, op, lhs) for lhs, op, rhs in known if op == "~~"}
    return (*statements, *(s for s in extra if (s.lhs, s.op, s.rhs) not in known))


def _statement(lhs: str, op: str, rhs: str) -> Statement:
    """Return a statement that holds in all groups."""
    return Statement(lhs, op, rhs, (), None, None, 0, 0)
