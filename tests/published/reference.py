"""Recompute reference values apart from the code under test: peers in Python, enumeration, plain loops.

`python -m tests.published.reference` compares the files of this folder with what the peers give here and now (scikit-learn is a dependency;
pymannkendall is used where it is installed). Import a function and feed it other numbers to make further values.
"""

import json
from fractions import Fraction
from itertools import combinations
from math import comb
from pathlib import Path

import numpy as np
from scipy import optimize, stats

HERE = Path(__file__).parent


def exact_tail(counts, focal, neighbours, *, total):
    """Upper-tail p of one neighbourhood's sum as a fraction: every subset is looked at."""
    pool = list(range(len(counts))) if total else [place for place in range(len(counts)) if place != focal]
    near = [*neighbours, focal] if total else neighbours
    observed = sum(counts[place] for place in near)
    hits = sum(sum(counts[place] for place in subset) >= observed for subset in combinations(pool, len(near)))
    return Fraction(hits, comb(len(pool), len(near)))


def poisson_gamma(y, e):
    """Alpha, beta and log likelihood by Nelder-Mead on the negative binomial marginal."""
    y, e = np.asarray(y), np.asarray(e)

    def loss(logs):
        alpha, beta = np.exp(logs)
        return -stats.nbinom.logpmf(y, alpha, beta / (beta + e)).sum()

    found = optimize.minimize(loss, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-12, "maxiter": 5000})
    alpha, beta = np.exp(found.x)
    return alpha, beta, -found.fun


def density(points, at, bandwidth):
    """Gaussian density by scikit-learn."""
    from sklearn.neighbors import KernelDensity

    return np.exp(KernelDensity(bandwidth=bandwidth, rtol=0).fit(points).score_samples(at))


def best_cylinder(cases, population, xy, *, share, longest, prospective):
    """Llr, members and periods of the strongest cylinder, by plain loops; expected cases are constant in time."""
    cases, xy = np.asarray(cases), np.asarray(xy)
    total, periods = cases.sum(), cases.shape[1]
    expected = total * np.asarray(population) / (np.sum(population) * periods)
    best = (0.0, [], 0, 0)
    for centre in range(len(xy)):
        order = np.argsort(np.hypot(*(xy - xy[centre]).T))
        for size in range(1, len(order) + 1):
            members = order[:size]
            if expected[members].sum() * periods > share * total:
                break
            for last in [periods - 1] if prospective else range(periods):
                for first in range(max(0, last - longest + 1), last + 1):
                    c, e = cases[members, first : last + 1].sum(), expected[members].sum() * (last - first + 1)
                    if c > e:
                        llr = c * np.log(c / e) + (total - c) * np.log((total - c) / (total - e))
                        best = max(best, (llr, sorted(members.tolist()), first, last), key=lambda found: found[0])
    return best


def trend(x):
    """S, variance, z, p and slope by pymannkendall."""
    from pymannkendall import original_test

    found = original_test(x)
    return found.s, found.var_s, found.z, found.p, found.slope


def _read(name):
    return json.loads((HERE / name).read_text(encoding="utf-8"))


def check():
    """Compare the files with the functions above; tell each comparison."""
    for case in _read("exact_small.json")["cases"]:
        for key, total in (("p_conditional", False), ("p_total", True)):
            assert exact_tail(case["counts"], case["focal"], case["neighbours"], total=total) == Fraction(*case[key])
    print("exact_small.json: fractions equal")
    for case in _read("poisson_gamma.json"):
        found = poisson_gamma(case["y"], case["E"])
        np.testing.assert_allclose(found, [case["alpha"], case["beta"], case["loglik"]], rtol=1e-5)
    print("poisson_gamma.json: within 1e-5")
    kernel = _read("kde.json")
    np.testing.assert_allclose(density(kernel["points"], kernel["eval"], kernel["bandwidth"]), kernel["density"], rtol=1e-9)
    print("kde.json: within 1e-9")
    cylinders = _read("scan_spacetime.json")
    for kind in ("prospective", "retrospective"):
        found = best_cylinder(
            cylinders["counts"], cylinders["population"], cylinders["xy"], share=0.5, longest=6, prospective=kind == "prospective"
        )
        answer = cylinders[kind]
        np.testing.assert_allclose(found[0], answer["llr"], atol=1e-9)
        assert found[1:] == (answer["members0"], answer["t_first0"], answer["t_last0"])
    print("scan_spacetime.json: llr within 1e-9, members equal")
    try:
        for case in _read("mann_kendall.json"):
            np.testing.assert_allclose(trend(case["x"]), [case[key] for key in ("S", "var", "z", "p", "sen")], atol=1e-9)
        print("mann_kendall.json: within 1e-9")
    except ImportError:
        print("mann_kendall.json: pymannkendall is not installed, not compared")


if __name__ == "__main__":
    check()
