"""A formula's text made into a Formula: response, fixed terms, random terms and offsets."""

from __future__ import annotations

from dataclasses import dataclass

from alliancekit.core.errors import SpecError, message
from alliancekit.formula.expressions import (
    Bar,
    Call,
    Expr,
    Name,
    Paren,
    Sum,
    children,
    columns_in,
    label,
    without_parens,
)
from alliancekit.formula.grammar import Grammar
from alliancekit.formula.groups import RandomTerm, check_random, random_terms
from alliancekit.formula.terms import Fail, Term, check_arguments, check_arithmetic, expand
from alliancekit.formula.tokens import bad_text, tokenize
from alliancekit.formula.vocabulary import RESPONSES


@dataclass(frozen=True, slots=True)
class Formula:
    """A parsed model formula.

    Attributes
    ----------
    text : the text as given, without spaces at its ends.
    response : the left side: a column or a transform of columns; None for a one-sided formula.
    fixed : terms of the fixed part in R's order, without the intercept.
    intercept : whether the fixed part has an intercept.
    random : random terms as written, with nested groups ``a/b`` already taken apart.
    offset : expressions inside ``offset()``; they are added up.
    """

    text: str
    response: Expr | None
    fixed: tuple[Term, ...]
    intercept: bool
    random: tuple[RandomTerm, ...] = ()
    offset: tuple[Expr, ...] = ()

    @property
    def response_name(self) -> str:
        """The response as R prints it; empty for a one-sided formula."""
        return "" if self.response is None else label(self.response)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all data columns used, in the order response, fixed, random, groups, offset, each once."""
        found: list[str] = list(columns_in(self.response)) if self.response is not None else []
        found += self.predictor_columns
        found += [c for term in self.random for t in term.terms for v in t.variables for c in columns_in(v)]
        found += [g for term in self.random for g in term.group]
        return tuple(dict.fromkeys(found + [c for e in self.offset for c in columns_in(e)]))

    @property
    def predictor_columns(self) -> tuple[str, ...]:
        """Names of the data columns of the fixed part, each once."""
        return tuple(dict.fromkeys(c for t in self.fixed for v in t.variables for c in columns_in(v)))


def parse_formula(text: str, *, one_sided: bool = False) -> Formula:
    """Return the parsed form of a mixed-model formula in lme4 syntax.

    Parameters
    ----------
    text : formula such as ``"y ~ time * group + (1 + time | patient) + (1 | therapist)"``. Operators are
        ``~ + - * : / ^ %in% ( ) | ||``, transforms ``I log log2 log10 sqrt exp abs scale center poly factor C offset``.
        ``^`` is a power inside ``I()`` and other transforms and the order of interactions outside. Counts out of a
        total are a response ``successes(taken, of = days)`` or ``cbind(taken, days - taken)``.
    one_sided : whether the formula has no response, as in ``"~ time"``.

    Returns
    -------
    Formula : frozen; the text is taken apart and never evaluated as Python.

    Raises
    ------
    SpecError : the text is not a formula; the message gives the place and shows it with a caret.

    Checked against
    ---------------
    R 4.2.2 ``terms.formula`` (term labels and their order) and lme4 1.1-31 (random terms, names of groups).

    When not to use
    ---------------
    For lags, leads and person means: they need the person and the time, so make the columns first with
    ``ak.lag``, ``ak.lead`` and ``ak.within_between``.

    Examples
    --------
    >>> formula = parse_formula("bdi ~ time * arm + (1 + time | patient)")
    >>> [term.label for term in formula.fixed]
    ['time', 'arm', 'time:arm']
    >>> formula.random[0].group
    ('patient',)
    """
    if not isinstance(text, str):
        what = f"a formula is text, not {type(text).__name__}"
        raise SpecError(message(what, do='Write for example "y ~ x + (1 | patient)"'))
    grammar = Grammar(text, tokenize(text))
    response = _read_response(grammar, one_sided)
    if grammar.at_end():
        raise grammar.fail("nothing follows the ~", grammar.token.position, "Write 1 for the intercept alone")
    right = grammar.expression()
    if grammar.at("~"):
        raise grammar.fail("a formula has one ~", grammar.token.position, "Remove the second")
    grammar.finish()

    def fail(what: str, position: int, do: str) -> SpecError:
        return bad_text(text, position, what, do)

    plain, bars = _split_bars(right, fail)
    _check_variables(plain, fail)
    for bar in bars:
        _check_variables(bar.left, fail)
    fixed = expand(plain, fail)
    random = random_terms(bars, fail)
    check_random(random, fail)
    _check_response(response, fixed.terms, fail)
    return Formula(text.strip(), response, fixed.terms, fixed.intercept, random, fixed.offsets)


def _read_response(grammar: Grammar, one_sided: bool) -> Expr | None:
    if grammar.at_end():
        raise SpecError(message("the formula is empty", do='Write for example "y ~ x + (1 | patient)"'))
    if grammar.at("~"):
        if not one_sided:
            do = 'Write it before the ~: "y ~ x"'
            raise grammar.fail("the formula has no response", grammar.token.position, do)
        grammar.take()
        return None
    left = grammar.expression()
    if not grammar.at("~"):
        if not grammar.at_end():
            grammar.finish("~ or an operator")
        raise grammar.fail("the formula has no ~", grammar.token.position, 'Write "response ~ predictors"')
    tilde = grammar.take()
    if one_sided:
        raise grammar.fail("a response has no place here", tilde.position, "Write only the right side, from the ~ on")
    return left


def _check_response(response: Expr | None, terms: tuple[Term, ...], fail: Fail) -> None:
    if response is None:
        return
    bare = without_parens(response)
    if isinstance(bare, Call) and bare.function in RESPONSES:
        _check_counts(bare, fail)
        return
    arithmetic = isinstance(bare, (Name, Call))
    do = "It is one column or a transform of it, such as log(y); a sum or ratio goes inside I()"
    if not arithmetic or next(columns_in(bare), None) is None:
        raise fail("this is not a response", bare.position, do)
    check_arithmetic(bare, fail, "the response")
    name = label(response)
    for term in terms:
        if any(label(v) == name for v in term.variables):
            position = next(v.position for v in term.variables if label(v) == name)
            raise fail(f"the response '{name}' is also a predictor", position, "Remove it from the right side")


def _check_counts(call: Call, fail: Fail) -> None:
    """Check ``successes(taken, of = days)`` and ``cbind(taken, days - taken)``."""
    if call.function == "successes" and not call.options:
        raise fail("successes() needs the total", call.position, "Write it as successes(taken, of = days)")
    parts = (*call.args, *(value for _, value in call.options))
    for part in parts:
        check_arithmetic(part, fail, f"{call.function}()")
    if not list(columns_in(call)):
        raise fail("this is not a response", call.position, "Name the columns, as in successes(taken, of = days)")


def _split_bars(tree: Expr, fail: Fail) -> tuple[Expr | None, list[Bar]]:
    """Return the right side without its random terms, and the random terms."""
    if isinstance(tree, Bar):
        do = "Put the random term in parentheses: y ~ x + (1 | group)"
        raise fail("a | outside parentheses", tree.position, do)
    bars: list[Bar] = []
    items = _plain_items(tree, bars, fail)
    if not items:
        return None, bars
    if len(items) == 1 and items[0][0] == "+":
        return items[0][1], bars
    return Sum(tuple(items), tree.position), bars


def _plain_items(tree: Expr, bars: list[Bar], fail: Fail) -> list[tuple[str, Expr]]:
    if not isinstance(tree, Sum):
        found = _bar_of(tree)
        if found is not None:
            bars.append(found)
            return []
        if isinstance(tree, Paren) and isinstance(tree.inner, (Sum, Paren)) and _holds_bar(tree):
            return _plain_items(tree.inner, bars, fail)
        return [("+", tree)]
    items: list[tuple[str, Expr]] = []
    for sign, item in tree.items:
        if sign == "+":
            items += _plain_items(item, bars, fail)
            continue
        found = _bar_of(item)
        if found is not None:
            raise fail("a random term cannot be taken away", found.position, "Leave it out of the formula")
        items.append((sign, item))
    return items


def _bar_of(expr: Expr) -> Bar | None:
    inner = without_parens(expr)
    return inner if isinstance(inner, Bar) and isinstance(expr, Paren) else None


def _holds_bar(expr: Expr) -> bool:
    return isinstance(expr, Bar) or any(_holds_bar(child) for child in children(expr))


def _check_variables(tree: Expr | None, fail: Fail) -> None:
    """Check the transforms that stand as variables in the algebra of terms."""
    if isinstance(tree, Call):
        if tree.function in RESPONSES:
            do = "It is a response, as in successes(taken, of = days) ~ x"
            raise fail(f"{tree.function}() stands left of the ~ only", tree.position, do)
        if tree.function == "offset":
            check_arithmetic(tree.args[0], fail, "offset()")
        else:
            check_arguments(tree, fail)
    elif tree is not None:
        for child in children(tree):
            _check_variables(child, fail)
