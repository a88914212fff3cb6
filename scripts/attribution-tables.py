"""Prints the tables of docs/attribution.md from sweeps with exact passes and estimates of every patch.

    vitpatch sweep --model VIT --data IMAGES --limit 1000 --corruption grayscale --site z --site q ... \
        --estimate atp --estimate ig:5 --estimate-of log_odds --estimate-of p --estimate-of logit_diff --out runs/grayscale
    vitpatch export runs/grayscale --format npz --to grayscale.npz
    python scripts/attribution-tables.py grayscale.npz ...

Needs only numpy, and shares no code with vitpatch: correlations, prediction-powered means and their coverage are
computed independently from the exported numbers.
"""

import sys

import numpy as np

METRICS = ["log_odds", "p", "logit_diff"]
DRAWS, EXACT = 200, 100


def correlation(a, b):
    a, b = a - a.mean(), b - b.mean()
    size = np.sqrt((a * a).sum() * (b * b).sum())
    return (a * b).sum() / size if size > 1e-12 else np.nan


def ranks(values):
    order = np.argsort(values, kind="stable")
    out = np.empty(len(values))
    out[order] = np.arange(len(values))
    return out


def agreement(estimate, effect):
    """Over places: Pearson and Spearman correlation of the means. Over images: the median correlation over places."""
    a, b = estimate.mean(0), effect.mean(0)
    over = [correlation(estimate[:, j], effect[:, j]) for j in range(effect.shape[1])]
    return correlation(a, b), correlation(ranks(a), ranks(b)), np.nanmedian(over)


def prediction_powered(effect, estimate, chosen):
    """The mean over all images from the exact effects of the chosen ones (PPI++ with tuned weight), and its standard
    errors: for these images (the chosen ones are drawn without replacement) and for the population behind them."""
    n, count = len(chosen), len(estimate)
    y, f = effect[chosen], estimate[chosen]
    rest = np.delete(estimate, chosen)
    variance = f.var(ddof=1)
    weight = np.cov(y, f)[0, 1] / variance if variance > 0 else 0.0
    mean = y.mean() + weight * (estimate.mean() - f.mean())
    own = (y - weight * f).var(ddof=2) / n
    return mean, np.sqrt(own * (1 - n / count)), np.sqrt(own + weight**2 * estimate.var(ddof=1) / count)


def main():
    random = np.random.default_rng(1)
    for path in sys.argv[1:]:
        data = np.load(path, allow_pickle=False)
        site, direction = data["site"].astype(str), data["direction"].astype(str)
        base = np.where(direction == "restore", 1, 0)
        print(f"\n{path}: {len(data['p_patched'])} images, {len(site)} patches")
        print("\n| site | metric | estimate | r of means | rank r | r over images |\n|---|---|---|---|---|---|")
        effects = {}
        for metric in METRICS:
            both = np.stack([data[f"{metric}_clean"], data[f"{metric}_corrupted"]])
            effects[metric] = data[f"{metric}_patched"].astype(float) - both[base].T
        for name in sorted(set(site)):
            of = site == name
            for metric in METRICS:
                for method in ("atp", "ig5"):
                    if f"{method}_{metric}" not in data:
                        continue
                    r, rho, over = agreement(data[f"{method}_{metric}"][:, of].astype(float), effects[metric][:, of])
                    print(f"| {name} | {metric} | {method} | {r:.2f} | {rho:.2f} | {over:.2f} |")
        print(f"\n{EXACT} of {len(data['p_patched'])} images exact, {DRAWS} draws\n")
        print("| site | metric | covered, these images | covered, population | width | variance | worth |\n|---|---|---|---|---|---|---|")
        for name in sorted(set(site)):
            for metric in METRICS[:2]:
                covered, population, ratios, errors, plain = [], [], [], [], []
                for place in np.flatnonzero(site == name):
                    y, f = effects[metric][:, place], data[f"atp_{metric}"][:, place].astype(float)
                    if y.std() < 1e-9:
                        continue
                    for _ in range(DRAWS):
                        chosen = random.permutation(len(y))[:EXACT]
                        mean, error, _ = prediction_powered(y, f, chosen)
                        covered.append(abs(mean - y.mean()) <= 1.984 * error)
                        # The images are the population, of which as many are drawn with replacement
                        again = random.integers(len(y), size=len(y))
                        drawn, _, wide = prediction_powered(y[again], f[again], np.arange(EXACT))
                        population.append(abs(drawn - y.mean()) <= 1.984 * wide)
                        errors.append((mean - y.mean()) ** 2)
                        plain.append((y[chosen].mean() - y.mean()) ** 2)
                    ratios.append(np.mean(errors[-DRAWS:]) / np.mean(plain[-DRAWS:]))
                if not ratios:
                    continue
                ratio = np.median(ratios)
                print(f"| {name} | {metric} | {100 * np.mean(covered):.1f}% | {100 * np.mean(population):.1f}% | {np.sqrt(ratio):.2f} | {ratio:.2f} | "
                      f"{EXACT / ratio:.0f} |")


if __name__ == "__main__":
    main()
