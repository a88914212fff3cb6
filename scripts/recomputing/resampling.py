"""BCa intervals from resampled images and p-values of shared sign flips (Westfall and Young), with their tolerances."""

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

DRAWS = 20_000
normal = NormalDist()


def student_975(freedom: float) -> float:
    """The 97.5% quantile of Student's t, by bisection on the integral of the density"""
    log_scale = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - 0.5 * math.log(freedom * math.pi)

    def below(t: float) -> float:
        x = np.linspace(0, t, 4001)
        density = np.exp(log_scale - (freedom + 1) / 2 * np.log1p(x * x / freedom))
        return 0.5 + float(((density[1:] + density[:-1]) / 2).sum() * (x[1] - x[0]))

    low, high = 0.0, 50.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) < 0.975 else (low, middle)
    return low


class Interval(NamedTuple):
    low: float
    high: float
    tolerance: float


class Resamples:
    """How often every image is drawn in every resample"""

    def __init__(self, images: int, rng: np.random.Generator) -> None:
        self.n = images
        self.counts = rng.multinomial(images, np.full(images, 1 / images), size=DRAWS).astype(float)
        self.widening = student_975(images - 1) * math.sqrt(images / (images - 1)) if images > 1 else math.nan

    def bca(self, influence: np.ndarray, estimate: float, resampled: np.ndarray) -> Interval:
        """The interval from all resamples; its tolerance covers the scatter of 4000 resamples, the program's number"""
        parts = [self.limits(influence, estimate, part) for part in resampled.reshape(-1, 4000)]
        low, high = self.limits(influence, estimate, resampled)
        spread = max(max(part[side] for part in parts) - min(part[side] for part in parts) for side in (0, 1))
        # If few images carry an effect, the resamples' quantiles jump.
        carriers = np.abs(influence).sum() ** 2 / max((influence**2).sum(), 1e-300)
        return Interval(low, high, max((0.08 if carriers > 20 else 0.3) * (high - low), 2.5 * spread) + 1e-12)

    def limits(self, influence: np.ndarray, estimate: float, resampled: np.ndarray) -> tuple[float, float]:
        if self.n < 6:
            return math.nan, math.nan
        spread = float((influence**2).sum())
        if spread <= 1e-24 * max(estimate**2, 1e-300):
            return estimate, estimate
        a = float((influence**3).sum()) / (6 * spread**1.5)
        share = float((resampled < estimate).mean() + (resampled == estimate).mean() / 2)
        if not 0 < share < 1:
            return tuple(np.quantile(resampled, [0.025, 0.975]))
        z0 = normal.inv_cdf(share)
        z = [z0 + (z0 + side) / (1 - a * (z0 + side)) for side in (-self.widening, self.widening)]
        return tuple(np.quantile(resampled, [normal.cdf(value) for value in z]))

    def mean(self, values: np.ndarray) -> Interval:
        return self.bca(values - values.mean(), values.mean(), self.counts @ values / self.n)

    def share(self, effects: np.ndarray, totals: np.ndarray) -> Interval:
        share = effects.mean() / totals.mean()
        influence = (effects - share * totals) / totals.mean()
        return self.bca(influence, share, (self.counts @ effects) / (self.counts @ totals))


def westfall_young(effects: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """[images, patches] to p-values, single and step-down adjusted, from shared random signs"""
    n, patches = effects.shape
    norm = np.sqrt((effects**2).sum(0))
    scaled = np.divide(effects, norm, out=np.zeros_like(effects), where=norm > 0)
    observed = np.abs(scaled.sum(0))
    if 2 ** (n - 1) <= 10_000:
        signs, extra = np.array([[1 - 2 * (k >> i & 1) for i in range(n)] for k in range(2 ** (n - 1))], float), 0
    else:
        signs, extra = rng.choice([-1.0, 1.0], size=(DRAWS, n)), 1
    order = np.argsort(observed)
    drawn = np.abs(signs @ scaled)
    bar = observed * (1 - 1e-9)
    alone = ((drawn >= bar).sum(0) + extra) / (len(signs) + extra)
    largest = np.maximum.accumulate(drawn[:, order], axis=1)
    adjusted = np.empty(patches)
    adjusted[order] = ((largest >= bar[order]).sum(0) + extra) / (len(signs) + extra)
    # From the strongest patch on, p-values do not decrease.
    adjusted[order[::-1]] = np.maximum.accumulate(adjusted[order[::-1]])
    return alone, adjusted


def p_tolerance(p: float) -> float:
    return 5 * math.sqrt(max(p * (1 - p), 1e-4) * (1 / 10_000 + 1 / DRAWS)) + 1e-4
