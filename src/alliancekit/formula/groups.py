"""Random terms: what varies, over which groups, and how lme4 names them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from alliancekit.formula.expressions import Bar, Binary, Call, Expr, Name, Number, label, without_parens
from alliancekit.formula.terms import Fail, Term, expand


@dataclass(frozen=True, slots=True)
class RandomTerm:
    """One random term with one grouping factor.

    Attributes
    ----------
    terms : what varies, in R's order, without the intercept.
    intercept : whether the intercept varies.
    group : columns whose combinations are the groups; ``batch/cask`` gives ("cask", "batch") and ("batch",).
    correlated : False for ``||``.
    group_name : lme4's name of the grouping factor, such as ``cask:batch``.
    position : where the term's bar stands in the formula, counted from 0.
    """

    terms: tuple[Term, ...]
    intercept: bool
    group: tuple[str, ...]
    correlated: bool
    group_name: str
    position: int = 0

    @property
    def display(self) -> str:
        """The term as printed, with its intercept written out."""
        effects = " + ".join(["1" if self.intercept else "0", *(t.label for t in self.terms)])
        return f"({effects} {'|' if self.correlated else '||'} {self.group_name})"


@dataclass(frozen=True, slots=True)
class _Group:
    names: tuple[str, ...]
    name: str


def random_terms(bars: Sequence[Bar], fail: Fail) -> tuple[RandomTerm, ...]:
    """Return the random terms in the order written; ``(x | a/b)`` becomes ``(x | b:a)`` and ``(x | a)`` as in lme4.

    Raises
    ------
    SpecError : nothing varies, or the grouping is not made of columns with ``:`` and ``/``.
    """
    out: list[RandomTerm] = []
    for bar in bars:
        effects = expand(bar.left, fail)
        if effects.offsets:
            raise fail("an offset cannot vary by group", bar.left.position, "Add it to the fixed part with +")
        if not effects.terms and not effects.intercept:
            raise fail("nothing varies in this random term", bar.position, "Write (1 | group) for an intercept")
        for group in _nested(bar.right, fail):
            correlated = bar.operator == "|"
            out.append(RandomTerm(effects.terms, effects.intercept, group.names, correlated, group.name, bar.position))
    return tuple(out)


def _nested(expr: Expr, fail: Fail) -> list[_Group]:
    """Return the grouping factors of the right side of a bar, the finest first."""
    expr = without_parens(expr)
    if isinstance(expr, Binary) and expr.operator == "/":
        outer = _nested(expr.left, fail)
        inner = _crossed(expr.right, fail)
        whole = outer[0]
        shown = f"({whole.name})" if len(whole.names) > 1 else whole.name
        return [_Group((*inner.names, *whole.names), f"{inner.name}:{shown}"), *outer]
    return [_crossed(expr, fail)]


def _crossed(expr: Expr, fail: Fail) -> _Group:
    expr = without_parens(expr)
    if isinstance(expr, Name):
        return _Group((expr.name,), expr.name)
    if isinstance(expr, Binary) and expr.operator == ":":
        left, right = _crossed(expr.left, fail), _crossed(expr.right, fail)
        return _Group((*left.names, *right.names), f"{left.name}:{right.name}")
    if isinstance(expr, Number):
        raise fail("a number cannot be a grouping factor", expr.position, "Name a column after the |")
    if isinstance(expr, Call):
        do = "Name a column after the |; every distinct value is a group, so factor() is not needed"
        raise fail(f"{label(expr)} cannot be a grouping factor", expr.position, do)
    do = "Write (1 | a) + (1 | b) for crossed groups, (1 | a/b) for nested ones, (1 | a:b) for combinations"
    raise fail(f"{label(expr)} cannot be a grouping factor", expr.position, do)


def check_random(terms: Sequence[RandomTerm], fail: Fail) -> None:
    """Raise SpecError when the same effect varies twice over the same groups: it would not be identified."""
    seen: set[tuple[tuple[str, ...], str]] = set()
    for term in terms:
        if len(set(term.group)) < len(term.group):
            raise fail(f"'{term.group_name}' names a column twice", term.position, "Name each column once")
        for effect in (["1"] if term.intercept else []) + [t.label for t in term.terms]:
            key = (tuple(sorted(term.group)), effect)
            if key in seen:
                what = "intercept" if effect == "1" else f"slope of '{effect}'"
                do = "Keep it in one of them; write (0 + x | group) for a slope without an intercept"
                raise fail(f"two random terms hold the {what} of '{term.group_name}'", term.position, do)
            seen.add(key)
