"""Models of every kind that a path diagram must draw, fitted to small simulated data."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd

import alliancekit as ak
from alliancekit.structural.result.fit import StructuralFit


def _items(factors: int, each: int, seed: int = 3, n: int = 400, name: str = "w") -> pd.DataFrame:
    """Return items of correlated factors, with a covariate, an outcome, two groups and forty clusters."""
    rng = np.random.default_rng(seed)
    f = rng.multivariate_normal(np.zeros(factors), 0.4 + 0.6 * np.eye(factors), n)
    count = factors * each
    loads = rng.uniform(0.7, 1.3, count)
    d = pd.DataFrame(np.repeat(f, each, axis=1) * loads + rng.normal(size=(n, count)))
    d.columns = pd.Index([f"{name}{i}" for i in range(1, count + 1)])
    pre = 0.5 * f[:, 0] + rng.normal(size=n)
    return d.assign(
        pre=pre,
        age=rng.normal(size=n),
        post=f[:, 0] + 0.4 * f[:, -1] + 0.3 * pre + rng.normal(size=n),
        half=np.repeat(["women", "men"], n // 2),
        cluster=np.arange(n) // 10,
    )


def measurement(factors: int, each: int, name: str = "w") -> str:
    """Return the lines of a measurement model with an equal number of items for each factor."""
    blocks = [[f"{name}{k * each + i + 1}" for i in range(each)] for k in range(factors)]
    return "\n".join(f"f{k} =~ {' + '.join(own)}" for k, own in enumerate(blocks, start=1))


def _clustered(n: int = 80, size: int = 8) -> pd.DataFrame:
    rng = np.random.default_rng(9)
    c = np.repeat(np.arange(n), size)
    up, other, low = rng.normal(size=n), rng.normal(size=n), rng.normal(size=n * size)
    noise = rng.normal(size=(n * size, 4)) + 0.5 * rng.normal(size=(n, 4))[c]
    d = pd.DataFrame(up[c][:, None] + low[:, None] + noise, columns=["y1", "y2", "y3", "y4"])
    d["x"] = rng.normal(size=n * size) + 0.4 * low + 0.5 * other[c]
    d["m"] = 0.5 * d["x"] + 0.4 * up[c] + rng.normal(size=n * size)
    d["z"] = (other + 0.5 * up + rng.normal(size=n))[c]
    return d.assign(cluster=c)


def _panel(waves: int, n: int = 500) -> pd.DataFrame:
    """Return two variables at some waves: stable differences between people, lagged effects within."""
    rng = np.random.default_rng(11)
    trait = rng.multivariate_normal([0, 0], [[1, 0.4], [0.4, 1]], n)
    state = rng.multivariate_normal([0, 0], [[1, 0.3], [0.3, 1]], n)
    columns = {}
    for t in range(1, waves + 1):
        columns[f"x{t}"], columns[f"y{t}"] = (trait + state).T
        noise = rng.multivariate_normal([0, 0], [[0.8, 0.2], [0.2, 0.8]], n)
        state = state @ np.array([[0.4, 0.2], [0.15, 0.35]]) + noise
    return pd.DataFrame(columns)


def ri_clpm(waves: int) -> str:
    """Return the random-intercept cross-lagged panel model (Hamaker et al., 2015)."""
    times = range(1, waves + 1)
    lines = [f"RI{v} =~ " + " + ".join(f"1*{v}{t}" for t in times) for v in "xy"]
    lines += [f"w{v}{t} =~ 1*{v}{t}" for v in "xy" for t in times]
    lines += [f"{v}{t} ~~ 0*{v}{t}" for v in "xy" for t in times]
    lines += [f"w{v}{t} ~ wx{t - 1} + wy{t - 1}" for t in times[1:] for v in "xy"]
    lines += ["RIx ~~ RIx + RIy\nRIy ~~ RIy", *(f"wx{t} ~~ wx{t} + wy{t}\nwy{t} ~~ wy{t}" for t in times)]
    return "\n".join([*lines, *(f"RI{v} ~~ 0*w{u}1" for v in "xy" for u in "xy")])


def _growth(occasions: int, seed: int = 1, n: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    pre, i, s = rng.normal(size=(3, n))
    i, s = i + 0.4 * pre, 0.4 * s + 0.3
    d = pd.DataFrame({f"w{t}": i + s * t + 0.7 * rng.normal(size=n) for t in range(occasions)})
    for t in range(occasions):
        d[f"v{t}"] = 0.5 * i + 0.6 * s * t + 0.8 * rng.normal(size=n)
    return d.assign(pre=pre, post=i + rng.normal(size=n))


def growth(occasions: int, name: str = "w", end: str = "") -> str:
    """Return a linear growth model."""
    lines = [f"{f}{end} =~ " + " + ".join(f"{t if f == 's' else 1}*{name}{t}" for t in range(occasions)) for f in "is"]
    return "\n".join(lines)


def _dyads(n: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    a, b = rng.multivariate_normal([0, 0], [[1, 0.4], [0.4, 1]], n).T
    e, f = rng.multivariate_normal([0, 0], [[1, 0.3], [0.3, 1]], n).T
    return pd.DataFrame({"bond_p": a, "bond_t": b, "out_p": 0.5 * a + 0.2 * b + e, "out_t": 0.3 * a + 0.4 * b + f})


def _democracy(n: int = 300) -> pd.DataFrame:
    """Return data of the model of Bollen (1989): three indicators of 1960, four of each of two democracies."""
    rng = np.random.default_rng(8)
    ind = rng.normal(size=n)
    one = 0.6 * ind + 0.8 * rng.normal(size=n)
    two = 0.3 * ind + 0.8 * one + 0.5 * rng.normal(size=n)
    d = pd.DataFrame({f"x{i}": ind + 0.6 * rng.normal(size=n) for i in (1, 2, 3)})
    shared = rng.normal(size=(n, 4))
    for i in range(4):
        d[f"y{i + 1}"] = one + 0.5 * shared[:, i] + 0.7 * rng.normal(size=n)
        d[f"y{i + 5}"] = two + 0.5 * shared[:, i] + 0.7 * rng.normal(size=n)
    return d


DEMOCRACY = """ind60 =~ x1 + x2 + x3
dem60 =~ y1 + y2 + y3 + y4
dem65 =~ y5 + y6 + y7 + y8
dem60 ~ ind60
dem65 ~ ind60 + dem60
y1 ~~ y5
y2 ~~ y4 + y6
y3 ~~ y7
y4 ~~ y8
y6 ~~ y8"""


def bifactor() -> StructuralFit:
    rng = np.random.default_rng(7)
    g, a, b = rng.normal(size=(3, 600))
    names = [f"w{i}" for i in range(1, 9)]
    loads = rng.uniform(0.6, 1.2, (8, 2))
    columns = {
        v: k * g + h * (a if i < 4 else b) + rng.normal(size=600)
        for i, (v, (k, h)) in enumerate(zip(names, loads, strict=True))
    }
    model = f"g =~ {' + '.join(names)}\nfa =~ {' + '.join(names[:4])}\nfb =~ {' + '.join(names[4:])}"
    return ak.cfa(model, pd.DataFrame(columns), orthogonal=True)


def _mediation() -> pd.DataFrame:
    rng = np.random.default_rng(6)
    x, e, u = rng.normal(size=(3, 300))
    m1 = 0.5 * x + e
    m2 = 0.4 * x + 0.3 * m1 + u
    return pd.DataFrame({"x": x, "m1": m1, "m2": m2, "y": 0.3 * m1 + 0.4 * m2 + 0.1 * x + rng.normal(size=300)})


def _ordinal() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    f = rng.normal(size=400)
    return pd.DataFrame({f"u{i}": np.digitize(f + rng.normal(size=400), [-0.8, 0.3, 1.1]) for i in range(1, 6)})


def _long_names() -> StructuralFit:
    names = ["agreement_on_tasks_early", "agreement_on_goals_early", "bond_with_therapist_early"]
    later = ["agreement_on_tasks_late", "agreement_on_goals_late", "bond_with_therapist_late"]
    d = _items(2, 3).rename(columns=dict(zip([f"w{i}" for i in range(1, 7)], names + later, strict=True)))
    model = f"alliance_at_session_three =~ {' + '.join(names)}\nalliance_at_session_ten =~ {' + '.join(later)}"
    return ak.sem(model + "\nalliance_at_session_ten ~ alliance_at_session_three + pre", d)


def _odd_names() -> StructuralFit:
    d = _items(2, 3).rename(columns={"w2": "größe", "w3": "a.b", "w4": "_x_"})
    d = d.assign(w7=d["w6"] + d["post"], w8=d["_x_"] + d["pre"])
    return ak.cfa("naïve.f =~ größe + a.b + w6\n_g =~ _x_ + w7 + w8", d)


TWO_LEVELS = "level: 1\nfw =~ y1 + y2 + y3 + y4\nlevel: 2\nfb =~ y1 + y2 + y3 + y4"
TWO_LEVEL_PATH = "level: 1\nm ~ x\ny1 ~ m + x\nlevel: 2\nm ~ z\ny1 ~ m + z"
MIMIC = measurement(1, 4) + "\nf1 ~ pre + age\nw3 ~ age"

MODELS: dict[str, Callable[[], StructuralFit]] = {
    "one_factor": lambda: ak.cfa(measurement(1, 5), _items(1, 5)),
    "three_factors": lambda: ak.cfa(measurement(3, 3), _items(3, 3)),
    "four_factors": lambda: ak.cfa(measurement(4, 3), _items(4, 3)),
    "six_factors": lambda: ak.cfa(measurement(6, 3), _items(6, 3)),
    "residual_covariances": lambda: ak.cfa(measurement(2, 4) + "\nw1 ~~ w2\nw1 ~~ w5\nw3 ~~ w8", _items(2, 4)),
    "cross_loading": lambda: ak.cfa(measurement(2, 4) + " + w2", _items(2, 4)),
    "second_order": lambda: ak.cfa(measurement(3, 3) + "\ng =~ f1 + f2 + f3", _items(3, 3)),
    "second_order_outcome": lambda: ak.sem(measurement(3, 3) + "\ng =~ f1 + f2 + f3\npost ~ g + pre", _items(3, 3)),
    "bifactor": bifactor,
    "mediation": lambda: ak.sem("m1 ~ x\nm2 ~ x + m1\ny ~ m1 + m2 + x", _mediation()),
    "two_mediators": lambda: ak.sem("m1 ~ x\nm2 ~ x\ny ~ m1 + m2 + x\nm1 ~~ m2", _mediation()),
    "latent_mediation": lambda: ak.sem(measurement(3, 3) + "\nf2 ~ f1\nf3 ~ f1 + f2", _items(3, 3)),
    "mimic": lambda: ak.sem(MIMIC, _items(1, 4)),
    "prediction": lambda: ak.sem(measurement(2, 4) + "\nf1 + f2 ~ pre\npost ~ f1 + f2 + pre\nf1 ~~ f2", _items(2, 4)),
    "regression": lambda: ak.sem("post ~ pre + age + w1 + w2", _items(1, 3)),
    "democracy": lambda: ak.sem(DEMOCRACY, _democracy()),
    "growth": lambda: ak.growth(growth(4), _growth(4)),
    "growth_five": lambda: ak.growth(growth(5), _growth(5)),
    "growth_quadratic": lambda: ak.growth(
        growth(6) + "\nq =~ " + " + ".join(f"{t * t}*w{t}" for t in range(6)), _growth(6)
    ),
    "growth_covariates": lambda: ak.growth(growth(5) + "\ni + s ~ pre\npost ~ i + s", _growth(5)),
    "growth_by_occasion": lambda: ak.growth(growth(4) + "\ni ~ pre\ns ~ pre\nw2 ~ post", _growth(4)),
    "parallel_growth": lambda: ak.growth(growth(4, "w", "w") + "\n" + growth(4, "v", "v"), _growth(4)),
    "parallel_growth_regressed": lambda: ak.growth(
        growth(4, "w", "w") + "\n" + growth(4, "v", "v") + "\nsv ~ iw + sw\niv ~ iw", _growth(4)
    ),
    "clpm_three": lambda: ak.sem(
        "x2 ~ x1 + y1\ny2 ~ x1 + y1\nx3 ~ x2 + y2\ny3 ~ x2 + y2\nx1 ~~ y1\nx2 ~~ y2\nx3 ~~ y3", _panel(3)
    ),
    "ri_clpm_three": lambda: ak.sem(ri_clpm(3), _panel(3)),
    "ri_clpm_five": lambda: ak.sem(ri_clpm(5), _panel(5)),
    "apim": lambda: ak.sem(
        "out_p ~ bond_p + bond_t\nout_t ~ bond_t + bond_p\nbond_p ~~ bond_t\nout_p ~~ out_t", _dyads()
    ),
    "two_level_cfa": lambda: ak.cfa(TWO_LEVELS, _clustered(), cluster="cluster"),
    "two_level_path": lambda: ak.sem(TWO_LEVEL_PATH, _clustered(), cluster="cluster"),
    "groups": lambda: ak.cfa(measurement(2, 3), _items(2, 3), group="half"),
    "ordinal": lambda: ak.cfa("f =~ u1 + u2 + u3 + u4 + u5", _ordinal(), ordered=True),
    "exploratory": lambda: ak.efa(_items(3, 3), 3, items=[f"w{i}" for i in range(1, 10)])[3],
    "exploratory_block": lambda: ak.sem(
        'efa("a")*f1 + efa("a")*f2 =~ w1 + w2 + w3 + w4 + w5 + w6\npost ~ f1 + f2 + pre', _items(2, 3)
    ),
    "long_names": _long_names,
    "odd_names": _odd_names,
}


@cache
def fitted(name: str) -> StructuralFit:
    """Return a model of the gallery, fitted once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return MODELS[name]()
