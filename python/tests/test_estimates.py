"""Tables of a store with estimates, where only some patches and images have exact passes."""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import vitpatch
from vitpatch import Results, VitpatchError
from vitpatch._run import run

NAMES = ["atp_log_odds", "ig5_p"]


def with_estimates(swept: Results, folder: Path, exact: list[int], exact_images: int | None) -> Results:
    """A copy of a sweep in which only `exact` have exact passes, on the first images, and all patches have estimates
    that grow with the image and the patch."""
    shutil.copytree(swept.folder, folder)
    db = sqlite3.connect(folder / "results.sqlite")
    patches = db.execute("SELECT count(*) FROM patches WHERE NOT control").fetchone()[0]
    db.execute("DELETE FROM logits")
    db.execute("DELETE FROM effects WHERE patch >= ?", (patches,))
    db.execute("DELETE FROM patches WHERE control")
    db.execute("DELETE FROM manifest WHERE key = 'control'")
    images = [row[0] for row in db.execute("SELECT image FROM images ORDER BY image")]
    db.executemany(
        "INSERT INTO estimates VALUES (?, 0, ?, ?)",
        [
            (image, name, (np.arange(patches) + image + 100 * which).astype("<f4").tobytes())
            for image in images
            for which, name in enumerate(NAMES)
        ],
    )
    db.execute("INSERT INTO manifest VALUES ('estimates', ?)", (json.dumps(NAMES),))
    db.execute("INSERT INTO manifest VALUES ('exact', ?)", (f"random:{len(exact)}" if exact else "none",))
    db.executemany("INSERT INTO exact_patches VALUES (?, 'random')", [(patch,) for patch in exact])
    marks = ", ".join("?" * len(exact))
    db.execute(f"DELETE FROM effects WHERE patch NOT IN ({marks})", exact)
    if exact_images is not None:
        db.execute("INSERT INTO manifest VALUES ('exact_images', ?)", (exact_images,))
        others = [(image,) for image in images[exact_images:]]
        db.executemany("UPDATE images SET exact = 0 WHERE image = ?", others)
        db.executemany("DELETE FROM effects WHERE image = ?", others)
    db.commit()
    db.close()
    return vitpatch.load(folder)


@pytest.fixture(scope="module")
def screened(swept: Results, tmp_path_factory: pytest.TempPathFactory) -> Results:
    return with_estimates(swept, tmp_path_factory.mktemp("estimates") / "screened", [1, 4, 9], 12)


@pytest.fixture(scope="module")
def alone(swept: Results, tmp_path_factory: pytest.TempPathFactory) -> Results:
    return with_estimates(swept, tmp_path_factory.mktemp("estimates") / "alone", [], None)


def test_effects_are_the_export(screened: Results, alone: Results) -> None:
    for results in (screened, alone):
        csv = pd.read_csv(io.StringIO(run(["export", str(results.folder)]).stdout))
        effects = results.effects()
        assert list(effects)[: len(csv.columns)] == list(csv)
        assert len(effects) == len(csv) == 24 * len(results.patches())
        for name in csv.columns[csv.dtypes == np.float64]:
            ours = effects[name].to_numpy(np.float64, na_value=np.nan)
            np.testing.assert_array_equal(ours.astype(np.float32), csv[name].to_numpy(np.float32), name)
    assert screened.manifest["estimates"] == NAMES and screened.manifest["exact_images"] == 12


def test_what_was_not_measured_is_missing(screened: Results, alone: Results) -> None:
    effects = screened.effects()
    measured = effects.p_patched.notna()
    assert measured.sum() == 3 * 12
    assert (effects.pred_patched.notna() == measured).all()
    for name in ("p_effect", "log_odds_effect", "kl_effect"):
        assert (effects[name].notna() == measured).all()
    assert effects.atp_log_odds.notna().all() and effects.p_clean.notna().all()
    assert alone.effects().p_patched.isna().all()


def test_where(screened: Results) -> None:
    effects = screened.effects()
    part = screened.effects({"site": "z", "layer": 2, "direction": "noise"})
    mask = (effects.site == "z") & (effects.layer == 2) & (effects.direction == "noise")
    assert 0 < len(part) == mask.sum()
    np.testing.assert_array_equal(part.ig5_p, effects.ig5_p[mask])


def test_estimates_alone(swept: Results, screened: Results) -> None:
    with pytest.raises(VitpatchError, match="this sweep made no estimates"):
        swept.estimates()
    estimates, effects = screened.estimates(), screened.effects()
    assert list(estimates)[-3:] == ["window", *NAMES] and len(estimates) == len(effects)
    np.testing.assert_array_equal(estimates.ig5_p, effects.ig5_p)
    assert (screened.estimates({"layer": 2}).layer == 2).all()


def test_summary(screened: Results, alone: Results) -> None:
    for results in (screened, alone):
        summary = results.summary()
        patches = len(results.patches())
        assert len(summary) == patches
        # For image i and patch k the estimate is i + k; the mean of 0 to 23 is 11.5.
        np.testing.assert_allclose(summary.atp_log_odds_mean, 11.5 + np.arange(patches))
        assert (summary.ig5_p_ci_low < summary.ig5_p_mean).all()
    summary = screened.summary()
    assert np.flatnonzero(summary.mean_effect.notna()).tolist() == [1, 4, 9]
    assert set(summary.mean_of.dropna()) == {"prediction-powered"}
    assert alone.summary().mean_effect.isna().all()


def test_shows_itself(screened: Results, alone: Results) -> None:
    for results in (screened, alone):
        page = results._repr_html_()
        assert "estimates, not measured: atp_log_odds" in page and "nan" not in page
    assert "mean Δp" in screened._repr_html_() and "mean Δp" not in alone._repr_html_()


def test_as_xarray(screened: Results) -> None:
    pytest.importorskip("xarray")
    data = screened.to_xarray()
    assert data.atp_log_odds.dims == ("corruption", "image", "patch")
    assert float(data.atp_log_odds[0, 3, 5]) == 8
    assert int(data.p_patched.notnull().sum()) == 36


def test_damage_is_named(screened: Results, tmp_path: Path) -> None:
    shutil.copytree(screened.folder, tmp_path / "bad")
    with sqlite3.connect(tmp_path / "bad/results.sqlite") as db:
        db.execute("UPDATE estimates SET data = x'00000000' WHERE image = 2")
    with pytest.raises(VitpatchError, match="atp_log_odds has 1 values for"):
        vitpatch.load(tmp_path / "bad").effects()
