"""Fits the two polynomials of erf in kernels/activation.cl and prints their coefficients and the error in float32.

    pip install numpy scipy mpmath && python3 scripts/fit_erf.py

Below LIMIT erf(x) = x + x P(x^2); above, erf(x) = 1 - exp(Q(x)). Both are least-squares fits on Chebyshev nodes,
reweighted towards the minimax fit of the relative error (Lawson 1961).
"""
import mpmath as mp
import numpy as np
from scipy.special import erf

LIMIT = 0.93
mp.mp.dps = 40


def fit(function, low, high, degree, weight):
    nodes = (low + high) / 2 + (high - low) / 2 * np.cos(np.pi * (np.arange(600) + 0.5) / 600)
    values = np.array([float(function(v)) for v in nodes])
    weights = np.array([float(weight(v)) for v in nodes])
    lawson = np.ones(600)
    matrix = np.vander((2 * nodes - low - high) / (high - low), degree + 1, increasing=True)
    for _ in range(60):
        scale = np.sqrt(lawson) * weights
        coefficients = np.linalg.lstsq(matrix * scale[:, None], values * scale, rcond=None)[0]
        lawson *= np.abs((matrix @ coefficients - values) * weights) + 1e-30
        lawson /= lawson.sum()
    return np.polynomial.Polynomial(coefficients, domain=[low, high], window=[-1, 1]).convert().coef


def near(s):
    return mp.erf(mp.sqrt(s)) / mp.sqrt(s) - 1


P = fit(near, 1e-12, LIMIT**2, 5, lambda s: 1 / (1 + near(s)))
Q = fit(lambda t: mp.log(mp.erfc(t)), LIMIT, 4.0, 7, lambda t: mp.erfc(t) / mp.erf(t))
print("P", [str(np.float32(c)) for c in P])
print("Q", [str(np.float32(c)) for c in Q])


def horner(coefficients, x):
    """Chain of fma: one rounding a step, as on the device."""
    sum_ = np.full_like(x, np.float32(coefficients[-1]))
    for c in coefficients[-2::-1]:
        sum_ = (sum_.astype(np.float64) * x + np.float64(np.float32(c))).astype(np.float32)
    return sum_


x = np.linspace(-6, 6, 2_000_001).astype(np.float32)
a = np.abs(x)
small = (horner(P, a * a).astype(np.float64) * x + x).astype(np.float32)
large = np.copysign(np.float32(1) - np.exp(horner(Q, np.minimum(a, np.float32(4)))).astype(np.float32), x)
exact = erf(x.astype(np.float64))
units = np.abs(np.where(a < LIMIT, small, large) - exact) / np.spacing(np.abs(exact).astype(np.float32))
print("largest error in units in the last place:", units.max())
