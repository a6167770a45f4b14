"""Kenward and Roger's adjusted covariance of the fixed effects, their df and scaled F, on per-group cross-products.

V is linear in its parameters: V = sum_r gamma_r G_r with one G for each free variance or covariance and one for the
residual. With Phi = (X'V^-1 X)^-1, P_r = -X'V^-1 G_r V^-1 X, Q_rs = X'V^-1 G_r V^-1 G_s V^-1 X and the expected
information (Halekoh & Hojsgaard 2014, J Stat Softw 59(9), section 4)

    2 I_rs = tr(V^-1 G_r V^-1 G_s) - 2 tr(Phi Q_rs) + tr(Phi P_r Phi P_s),   W = I^-1,
    Phi_A = Phi + 2 Phi {sum_rs W_rs (Q_rs - P_r Phi P_s)} Phi.

The result is the same for every basis of the space that the G span (Kenward & Roger 1997, Biometrics 53, 983-997), so
that the residual's G = I is replaced by G_0 = V / sigma^2. Everything with G_0 in it is then simple (P_0 = -Phi^-1,
Q_0r = -P_r, tr(V^-1 G_0 V^-1 G_r) = tr(V^-1 G_r)), and nothing of size n is needed. Quantities are in units of sigma^2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.gaussian.design import Factor, GaussianDesign
from alliancekit.multilevel.gaussian.marginal import Marginal, View, local, marginal
from alliancekit.multilevel.gaussian.objective import Elimination

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class KenwardRoger:
    """What Kenward and Roger's method needs, in the engine's basis; k covariance parameters and the residual.

    vcov : (p, p), Phi. adjusted : (p, p), Phi_A. slopes : (k + 1, p, p), Phi P_r Phi. weight : (k + 1, k + 1), W.
    """

    vcov: Floats
    adjusted: Floats
    slopes: Floats
    weight: Floats


def kenward_roger(design: GaussianDesign, state: Elimination, sigma: float) -> KenwardRoger:
    """Return the adjusted covariance of the fixed effects and what the degrees of freedom need.

    A direction in which the data carry no information on the variances (fixed effects that take up a whole level) is
    left out, as a generalised inverse of the information does.

    Source: Kenward & Roger (1997), Biometrics 53, 983-997; Halekoh & Hojsgaard (2014), J Stat Softw 59(9). The second
    derivatives of V are zero in this parametrisation; the correction of Kenward & Roger (2009) concerns others.
    """
    P, Q, traces = _derivatives(design, state)
    phi = state.fixed_inverse
    half = phi @ P
    information = traces - 2.0 * np.einsum("ij,rsji->rs", phi, Q) + np.einsum("rij,sji->rs", half, half)
    weight = 2.0 * generalised_inverse((information + information.T) / 2)
    total = np.einsum("rs,rsij->ij", weight, Q) - np.einsum("rs,rij,sjk->ik", weight, P, half, optimize=True)
    adjusted = phi + 2.0 * phi @ ((total + total.T) / 2) @ phi
    return KenwardRoger(sigma**2 * phi, sigma**2 * adjusted, sigma**2 * (half @ phi), weight)


def kenward_roger_f(found: KenwardRoger, contrasts: Floats, gap: Floats) -> tuple[float, int, float, float]:
    """Return F, numerator df, denominator df and the scaling of F for a joint hypothesis.

    Parameters
    ----------
    contrasts : shape (h, p), engine basis; dependent rows are joined. gap : shape (h,), contrasts @ beta - right side.

    Notes
    -----
    F is scaled; without the scaling it is F / scaling, a Wald statistic with the adjusted covariance over its df.

    Source: Kenward & Roger (1997), Biometrics 53, 983-997; Halekoh & Hojsgaard (2014), J Stat Softw 59(9), eq. 8.
    """
    rows, gap = _independent(found.vcov, contrasts, gap)
    q = len(rows)
    inner = rows @ found.slopes @ rows.T  # Theta Phi P_r Phi, Theta = L'(L Phi L')^-1 L, where L Phi L' = 1
    single = np.einsum("rii->r", inner)
    a1 = float(single @ found.weight @ single)
    a2 = float(np.einsum("rs,rij,sji->", found.weight, inner, inner, optimize=True))
    denominator, scaling = _moments(a1, a2, q)
    wald = float(gap @ np.linalg.solve(rows @ found.adjusted @ rows.T, gap)) / q
    return scaling * wald, q, denominator, scaling


def _moments(a1: float, a2: float, q: int) -> tuple[float, float]:
    """Return the denominator df and the scaling of F from A1 and A2 of Kenward & Roger (1997)."""
    if a2 <= 0.0:
        return float("inf"), 1.0
    b = (a1 + 6.0 * a2) / (2.0 * q)
    g = ((q + 1) * a1 - (q + 4) * a2) / ((q + 2) * a2)
    bottom = 3.0 * q + 2.0 * (1.0 - g)
    c1, c2, c3 = g / bottom, (q - g) / bottom, (q + 2 - g) / bottom
    v0, v1, v2 = 1.0 + c1 * b, 1.0 - c2 * b, 1.0 - c3 * b
    v0 = 0.0 if abs(v0) < 1e-10 else v0
    top = 1.0 - a2 / q
    ratio = 1.0 if abs(top) < 1e-14 and abs(v1) < 1e-14 else top / v1
    excess = ratio**2 * v0 / v2 - 1.0 if v2 else float("inf")
    if abs(excess) < 1e-14:
        return float("inf"), top
    df = 4.0 + (q + 2.0) / excess
    return df, 1.0 if abs(df - 2.0) < 0.01 else df * top / (df - 2.0)


def _independent(vcov: Floats, contrasts: Floats, gap: Floats) -> tuple[Floats, Floats]:
    """Return the hypothesis with independent rows, uncorrelated and of unit variance under ``vcov``."""
    variance = contrasts @ vcov @ contrasts.T
    values, vectors = np.linalg.eigh((variance + variance.T) / 2)
    keep = values > 1e-10 * float(values.max())
    scaled = (vectors[:, keep] / np.sqrt(values[keep])).T
    return scaled @ contrasts, scaled @ gap


def generalised_inverse(information: Floats) -> Floats:
    """Return the inverse, a generalised one where a parameter is without information."""
    size = np.sqrt(np.maximum(np.diag(information), 0.0))
    scale = np.where(size > 0, size, 1.0)
    values, vectors = np.linalg.eigh(information / np.outer(scale, scale))
    keep = values > 1e-12 * float(values.max())
    return np.asarray((vectors[:, keep] / values[keep]) @ vectors[:, keep].T / np.outer(scale, scale))


def _derivatives(design: GaussianDesign, state: Elimination) -> tuple[Floats, Floats, Floats]:
    """Return P (k + 1, p, p), Q symmetrised (k + 1, k + 1, p, p) and traces (k + 1, k + 1); the residual is last."""
    k, p = design.n_theta, design.products.p
    seen = marginal(design, state)
    P, Q, traces = np.zeros((k + 1, p, p)), np.zeros((k + 1, k + 1, p, p)), np.zeros((k + 1, k + 1))
    place = {link.factor: position for position, link in enumerate(design.chain)}
    order = [link.factor for link in design.chain] + list(design.border)
    starts = _border_starts(design)
    for i, one in enumerate(order):
        f, own = design.factors[one], design.slices[one]
        first, diagonal = _own_products(design, seen, place, starts, one)
        for r, (a, b) in enumerate(f.free, own.start):
            P[r] = -(first[a, :, b] + first[a, :, b].T) * (0.5 if a == b else 1.0)
            traces[r, k] = traces[k, r] = diagonal[a, b] * (1.0 if a == b else 2.0)
        for two in order[i:]:
            g, other = design.factors[two], design.slices[two]
            second, bridge = _pair(design, seen, place, starts, one, two)
            traces[own, other] = _traces(second, f, g)
            Q[own, other] = _bridges(bridge, f, g)
            if two != one:
                traces[other, own] = traces[own, other].T
                Q[other, own] = Q[own, other].transpose(1, 0, 2, 3)
    P[k], Q[k, k], traces[k, k] = -state.fixed, state.fixed, float(design.products.n)
    Q[k, :k] = Q[:k, k] = -P[:k]
    return P, Q, traces


def _border_starts(design: GaussianDesign) -> dict[int, slice]:
    """Return where the columns of each factor of the border stand."""
    out, at = {}, 0
    for index in design.border:
        width = design.factors[index].n_levels * design.factors[index].q
        out[index] = slice(at, at + width)
        at += width
    return out


def _own_products(
    design: GaussianDesign, seen: Marginal, place: dict[int, int], starts: dict[int, slice], one: int
) -> tuple[Floats, Floats]:
    """Return the sums over levels of T_a T_b' (q, p, q, p -> first[a, :, b]) and of the blocks of Z'H^-1 Z, (q, q)."""
    if one in place:
        at = place[one]
        view = seen.views[at]
        T, block = view.fixed, view.direct[at] + local(seen.views, at, at)
        return _outer(T, T), np.asarray(block.sum(axis=2))
    T = _border_fixed(design, seen, starts, one)
    assert seen.border is not None
    L, q = design.factors[one].n_levels, design.factors[one].q
    square = seen.border[starts[one], starts[one]].reshape(L, q, L, q)
    return _outer(T, T), np.asarray(np.einsum("lalb->ab", square))


def _border_fixed(design: GaussianDesign, seen: Marginal, starts: dict[int, slice], index: int) -> Floats:
    """Return Z'H^-1 X of one factor of the border, (q, p, L)."""
    assert seen.border_fixed is not None
    factor = design.factors[index]
    part = seen.border_fixed[starts[index]].reshape(factor.n_levels, factor.q, -1)
    return np.ascontiguousarray(part.transpose(1, 2, 0))


def _pair(
    design: GaussianDesign, seen: Marginal, place: dict[int, int], starts: dict[int, slice], one: int, two: int
) -> tuple[Floats, Floats]:
    """Return, for two factors with K = Z_1'H^-1 Z_2 in blocks of levels l and m, what P, Q and traces need.

    second[a, c, b, d] : sum of K_lm[a, c] K_lm[b, d]. bridge[a, i, b, c, d, j] : sum of T_l[a, i] K_lm[b, c] T_m[d, j].
    """
    if two in place:
        return _chain_pair(seen.views, place[one], place[two])
    there = _border_fixed(design, seen, starts, two)
    g = design.factors[two]
    assert seen.border is not None
    if one in place:
        view = seen.views[place[one]]
        assert view.border is not None
        here, block = view.fixed, view.border[:, starts[two]]
        q, L = here.shape[0], here.shape[2]
        K = block.transpose(0, 2, 1).reshape(q, L, g.n_levels, g.q)
    else:
        f = design.factors[one]
        here, q, L = _border_fixed(design, seen, starts, one), f.q, f.n_levels
        K = seen.border[starts[one], starts[two]].reshape(L, q, g.n_levels, g.q).transpose(1, 0, 2, 3)
    cells = np.ascontiguousarray(K.transpose(0, 3, 1, 2)).reshape(q, g.q, L * g.n_levels)
    half = np.einsum("ail,blmc->aibcm", here, K, optimize=True)
    return _outer(cells, cells), np.asarray(np.einsum("aibcm,djm->aibcdj", half, there, optimize=True))


def _chain_pair(views: list[View], k: int, g: int) -> tuple[Floats, Floats]:
    """Do the same for two factors of the chain, from the pieces of ``marginal``: no pair of levels is formed."""
    view, other = views[k], views[g]
    direct, low = view.direct[g], local(views, k, g)
    second = _outer(direct + low, direct + low) - _outer(low, low)
    there = other.fixed[:, :, view.nodes[g].ancestor] if g > k else other.fixed
    near = np.einsum("ail,djl->aidjl", view.fixed, there)
    bridge = _outer(near, direct).transpose(0, 1, 4, 5, 2, 3)
    later = [j for j in view.nodes if j > g]
    for position, j in enumerate(later):
        one, two = view.nodes[j], other.nodes[j]
        pulled_1 = one.sums(_flat(view.fixed), _flat(one.reach)).reshape(
            *view.fixed.shape[:2], *one.reach.shape[:2], -1
        )
        pulled_2 = two.sums(_flat(other.fixed), _flat(two.reach)).reshape(
            *other.fixed.shape[:2], *two.reach.shape[:2], -1
        )
        if one.inner.shape[2] == 1:
            pulled_1 = (pulled_1[..., 0] @ one.inner[:, :, 0])[..., None]
        else:
            pulled_1 = np.einsum("aibxt,xyt->aibyt", pulled_1, one.inner)
        bridge = bridge - np.einsum("aibyt,djcyt->aibcdj", pulled_1, pulled_2, optimize=True)
        for j2 in later[position:]:
            part = _shared(view, other, j, j2)
            second = second + part + (part.transpose(2, 3, 0, 1) if j2 != j else 0.0)
    return second, bridge


def _shared(view: View, other: View, j: int, j2: int) -> Floats:
    """Return the sum over pairs of levels of two corrections: second[a, c, b, d] of nodes j and j2, j <= j2."""
    one, two = view.nodes[j], view.nodes[j2]
    left = one.sums(_flat(one.reach), _flat(two.reach)).reshape(*one.reach.shape[:2], *two.reach.shape[:2], -1)
    seen = other.nodes[j]
    far = other.nodes[j2].reach
    right = seen.sums(_flat(seen.reach), _flat(far)).reshape(*seen.reach.shape[:2], *far.shape[:2], -1)
    if one.inner.shape[2] == 1:
        left = np.einsum("axbzt,xy->aybzt", left, one.inner[:, :, 0], optimize=True)
    else:
        left = np.einsum("axbzt,xyt->aybzt", left, one.inner)
    if two.inner.shape[2] == 1:
        left = np.einsum("aybzt,zw->aybwt", left, two.inner[:, :, 0], optimize=True)
    else:
        up = _above(one.ancestor, two.ancestor, one.inner.shape[2])
        left = np.einsum("aybzt,zwt->aybwt", left, two.inner[:, :, up])
    return np.asarray(np.einsum("aybwt,cydwt->acbd", left, right, optimize=True))


def _above(lower: NDArray[np.intp], upper: NDArray[np.intp], n_levels: int) -> NDArray[np.intp]:
    """Return the level of the upper node over each level of the lower one."""
    out = np.zeros(n_levels, dtype=np.intp)
    out[lower] = upper
    return out


def _flat(values: Floats) -> Floats:
    return values.reshape(-1, values.shape[-1])


def _outer(left: Floats, right: Floats) -> Floats:
    """Return the sum over the last axis of the outer products of two stacks."""
    return np.asarray((_flat(left) @ _flat(right).T).reshape(*left.shape[:-1], *right.shape[:-1]))


def _traces(second: Floats, f: Factor, g: Factor) -> Floats:
    """Return tr(H^-1 G_r H^-1 G_s) of the free parameters of two factors."""
    out = np.zeros((len(f.free), len(g.free)))
    for r, (a, b) in enumerate(f.free):
        for s, (c, d) in enumerate(g.free):
            # tr(e_a e_b' K e_c e_d' K') = K[b, c] K[a, d]; both orders of (a, b) and of (c, d)
            value = second[b, c, a, d] + second[b, d, a, c]
            out[r, s] = (1.0 if a == b else 2.0) * (1.0 if c == d else 2.0) * value / 2.0
    return out


def _bridges(bridge: Floats, f: Factor, g: Factor) -> Floats:
    """Return Q_rs of the free parameters of two factors, symmetrised, (r, s, p, p)."""
    p = bridge.shape[1]
    out = np.zeros((len(f.free), len(g.free), p, p))
    for r, (a, b) in enumerate(f.free):
        for s, (c, d) in enumerate(g.free):
            total = np.zeros((p, p))
            for one, two in {(a, b), (b, a)}:
                for three, four in {(c, d), (d, c)}:
                    total += bridge[one, :, two, three, four]
            out[r, s] = (total + total.T) / 2
    return out
