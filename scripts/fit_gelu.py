"""Fits the polynomials of 2^x (kernels/common.cl) and of GELU (kernels/activation.cl), and prints their errors in float32.

    pip install numpy scipy mpmath && python3 scripts/fit_gelu.py

2^f = 1 + f P(f) for |f| <= 1/2, and Phi(-a) = erfc(a / sqrt(2)) / 2 = 2^Q(a) with Q(0) = -1. Both are least-squares fits on
Chebyshev nodes, reweighted towards the minimax fit (Lawson 1961): P's of the relative error of 2^f; Q's of the relative
error of Phi where Phi is above 0.001, of the absolute one by 0.001 below.
"""
import mpmath as mp
import numpy as np
from scipy.special import ndtr

END = 5.0
ROUNDING = 2.0**-24
mp.mp.dps = 40


def fit(function, low, high, degree, weight):
    nodes = (low + high) / 2 + (high - low) / 2 * np.cos(np.pi * (np.arange(800) + 0.5) / 800)
    values = np.array([float(function(mp.mpf(v))) for v in nodes])
    weights = np.array([float(weight(v)) for v in nodes])
    lawson = np.ones(len(nodes))
    matrix = np.vander((2 * nodes - low - high) / (high - low), degree + 1, increasing=True)
    best = None
    for _ in range(100):
        scale = np.sqrt(lawson) * weights
        coefficients = np.linalg.lstsq(matrix * scale[:, None], values * scale, rcond=None)[0]
        errors = np.abs((matrix @ coefficients - values) * weights)
        if best is None or errors.max() < best[0]:
            best = (errors.max(), coefficients)
        lawson *= errors + 1e-30
        lawson /= lawson.sum()
    return np.polynomial.Polynomial(best[1], domain=[low, high], window=[-1, 1]).convert().coef


def phi(a):
    return mp.erfc(a / mp.sqrt(2)) / 2


P = fit(lambda f: (mp.power(2, f) - 1) / f, -0.5, 0.5, 4, lambda f: abs(f) * 2.0**-f)
Q = fit(lambda a: (mp.log(phi(a), 2) + 1) / a, 1e-9, END, 7, lambda a: a * max(float(phi(a)), 1e-3))
P, Q = np.concatenate([[1], P]), np.concatenate([[-1], Q])
print("2^f:", [str(np.float32(c)) for c in P])
print("Q:  ", [str(np.float32(c)) for c in Q])


def horner(coefficients, x):
    """A chain of fma, one rounding per step, as on the device."""
    total = np.full_like(x, np.float32(coefficients[-1]))
    for c in coefficients[-2::-1]:
        total = (total.astype(np.float64) * x + np.float64(np.float32(c))).astype(np.float32)
    return total


def exp2(x):
    shifted = x + np.float32(12582912)
    whole = shifted - np.float32(12582912)
    return (horner(P, x - whole).astype(np.float64) * 2.0**whole).astype(np.float32)


def gelu(x):
    a = np.abs(x)
    tail = exp2(np.maximum(horner(Q, a), np.float32(-126)))
    return (np.maximum(x, 0).astype(np.float64) - a.astype(np.float64) * tail).astype(np.float32)


x = np.linspace(-126, 0, 2_000_001).astype(np.float32)
exact = 2.0 ** x.astype(np.float64)
print("2^x for -126 <= x <= 0: largest error in roundings of it:", (np.abs(exp2(x) - exact) / exact).max() / ROUNDING)
x = np.concatenate([np.linspace(-14, 14, 2_000_000), np.linspace(-0.01, 0.01, 100_000)]).astype(np.float32)
exact = x * ndtr(x.astype(np.float64))
print("gelu(x): largest error in roundings of |x|:", (np.abs(gelu(x) - exact) / np.abs(x)).max() / ROUNDING)
