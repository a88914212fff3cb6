"""Tables read from the store against the program's export."""

from __future__ import annotations

import io
import shutil
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import vitpatch
from vitpatch import Results, VitpatchError
from vitpatch._run import run

KEYS = ["direction", "site", "layer", "head", "token", "window"]


def exported(results: Results) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(run(["export", str(results.folder), "--format", "csv"]).stdout))


def test_effects_are_the_export(swept: Results) -> None:
    csv, effects = exported(swept), swept.effects()
    assert list(effects)[: len(csv.columns)] == list(csv)
    assert len(effects) == len(csv) > 0
    for name in csv:
        ours, theirs = effects[name], csv[name]
        if theirs.dtype == np.float64 and ours.dtype == np.float64:
            # The text is the shortest for the stored 32-bit float; ours is that float, widened.
            np.testing.assert_array_equal(ours.to_numpy(np.float32), theirs.to_numpy(np.float32), name)
        else:
            text = ours.astype("object").where(ours.notna(), None)
            expected = theirs.astype("object").where(theirs.notna(), None)
            numbers = pd.api.types.is_numeric_dtype(theirs)
            assert [v if v is None or not numbers else int(v) for v in text] == [
                v if v is None or not numbers else int(v) for v in expected
            ], name


def test_exports_of_tokens_and_doses_agree_too(tokens: Results, doses: Results) -> None:
    for results in (tokens, doses):
        csv, effects = exported(results), results.effects()
        assert list(csv) == list(effects)[: len(csv.columns)]
        for name in ["image", "corruption", "site", "extent"]:
            assert effects[name].tolist() == csv[name].tolist()
        np.testing.assert_array_equal(effects.p_patched.to_numpy(np.float32), csv.p_patched.to_numpy(np.float32))
    assert tokens.effects().token.dtype == np.int64


def test_effect_columns(swept: Results) -> None:
    e = swept.effects()
    base = np.where(e.direction == "noise", e.logit_diff_clean, e.logit_diff_corrupted)
    np.testing.assert_array_equal(e.logit_diff_effect, e.logit_diff_patched - base)
    images = swept.images().set_index("image")
    corrupted = e.image.astype(str).map(images.kl_corrupted.rename(index=str))
    np.testing.assert_allclose(e.kl_effect, e.kl_patched - np.where(e.direction == "noise", 0, corrupted))
    assert (e.direction == "noise").any() and (e.direction == "restore").any()


def text(value: object) -> str:
    return "" if value is None or value is pd.NA or value != value else str(value)


@pytest.mark.parametrize(
    "where",
    [
        {"site": "z"}, {"layer": 2}, {"layer": [0, "2"], "direction": "noise"}, {"head": None}, {"head": [1, None]},
        {"label": 3, "site": "z", "head": 0}, {"control": 1}, {"image": ["red-cross/0000.png"]}, {"pred_clean": [1, 2]},
        {"site": "none"},
    ],
)  # fmt: skip
def test_where(swept: Results, where: Mapping[str, object]) -> None:
    every = swept.effects()
    mask = np.ones(len(every), bool)
    for name, wanted in where.items():
        texts = every[name].astype("object").map(text)
        mask &= texts.isin(["" if w is None else str(w) for w in (wanted if isinstance(wanted, list) else [wanted])])
    expected = every[mask].reset_index(drop=True)
    found = swept.effects(where)
    names = [*KEYS, "extent"]
    pd.testing.assert_frame_equal(found.drop(columns=names), expected.drop(columns=names))
    for name in names:  # integers, since the random places with layers such as 0+3+5 are left out
        assert list(map(text, found[name])) == list(map(text, expected[name])), name
    assert len(expected) == 0 if where == {"site": "none"} else 0 < len(expected) < len(every)


def test_where_names_what_it_knows(swept: Results) -> None:
    assert swept.effects({"control": 0}).layer.dtype == np.int64
    with pytest.raises(VitpatchError, match=r"where: p_patched: valid are image, label, .*extent"):
        swept.effects({"p_patched": 1})


def test_polars(swept: Results) -> None:
    frame, expected = swept.effects(engine="polars"), swept.effects()
    assert frame.columns == list(expected)
    for name in frame.columns:
        values = expected[name].astype("object")
        assert frame[name].to_list() == values.where(values.notna(), None).tolist(), name


def test_summary_is_the_mean_of_the_effects(swept: Results) -> None:
    effects = swept.effects({"control": 0})
    means = effects.groupby(KEYS, dropna=False, observed=True, sort=False).agg(
        p=("p_effect", "mean"), kl=("kl_effect", "mean")
    )
    summary = swept.summary()
    np.testing.assert_allclose(summary.mean_effect, means.p)
    np.testing.assert_allclose(summary.kl_mean_effect, means.kl)
    assert summary["layer"].tolist() == [layer for _, _, layer, *_ in means.index]
    by = swept.summary(by="half")
    assert set(by["value"]) == {"a", "b"} and len(by) >= 2 * len(summary)
    with pytest.raises(VitpatchError, match="--by nothing: the sweep has class, half"):
        swept.summary(by="nothing")


def test_images_and_patches(swept: Results) -> None:
    images = swept.images()
    assert len(images) == 24 and images.kept.all()
    assert images.half.tolist() == ["a", "b"] * 12
    patches = swept.patches()
    assert len(patches) * 24 == len(swept.effects())


def test_images_that_keep_leaves_out(tmp_path: Path) -> None:
    results = vitpatch.sweep(keep="flipped", limit=16, layers=0, out=tmp_path / "kept", progress=False)
    images = results.images()
    assert len(images) == 16 and 0 < images.kept.sum() < 16
    assert set(results.effects().image) == set(images[images.kept].image)


def test_logits(swept: Results, tokens: Results) -> None:
    effects, logits = swept.effects(), swept.logits()
    assert logits.shape == (len(effects), 8)
    assert logits.to_numpy().dtype == np.float32
    target = logits.to_numpy()[np.arange(len(logits)), effects.target]
    np.testing.assert_array_equal(target, effects.logit_patched.to_numpy(np.float32))
    assert logits.index.get_level_values("site").tolist() == effects.site.tolist()
    assert list(logits) == swept.manifest["class_names"]
    clean = swept.logits("clean")
    np.testing.assert_array_equal(clean.to_numpy().argmax(1), swept.images().pred_clean)
    with pytest.raises(VitpatchError, match="kept no logits"):
        tokens.logits()


def test_xarray(swept: Results, doses: Results) -> None:
    data = swept.to_xarray()
    assert dict(data.sizes) == {"corruption": 1, "image": 24, "patch": len(swept.patches())}
    mean = (data.p_patched - data.p_corrupted).mean("image").isel(corruption=0)
    first = swept.summary().iloc[0]
    assert data.site[0] == first.site and data.direction[0] == "restore"
    assert float(mean[0]) == pytest.approx(first.mean_effect)
    several = doses.to_xarray()
    assert several.corruption.values.tolist() == ["noise:0.5", "noise:1", "noise:2"]
    assert not np.isnan(several.p_patched).any()


def test_manifest(swept: Results) -> None:
    manifest = swept.manifest
    assert manifest["model"] == "demo" and manifest["limit"] == 24 and manifest["logits"] is True
    assert manifest["class_names"][0] == "green-circle" and manifest["corruptions"] == ["grayscale"]
    assert manifest["spec"]["site"] == ["attn_out", "z"]


def test_it_shows_itself(swept: Results) -> None:
    page = swept._repr_html_()
    assert "grayscale" in page and "mean Δp" in page and "the 12 strongest of" in page
    assert f"{swept.summary().mean_effect.abs().max():+.3f}" in page
    assert repr(swept).startswith("<vitpatch.Results ")


def store(results: Results, folder: Path, sql: str) -> Results:
    """A changed copy of a sweep's results."""
    shutil.copytree(results.folder, folder)
    with sqlite3.connect(folder / "results.sqlite") as db:
        db.executescript(sql)
    db.close()
    return vitpatch.load(folder)


def test_stores_of_other_versions(swept: Results, tmp_path: Path) -> None:
    """Version 1 lacks control and extent; version 3 adds log-odds."""
    old = store(swept, tmp_path / "1", "DROP VIEW results; ALTER TABLE patches DROP COLUMN control;"
                "ALTER TABLE patches DROP COLUMN extent; PRAGMA user_version = 1")  # fmt: skip
    effects = old.effects()
    assert (effects.control == 0).all() and effects.extent.isna().all()

    has = "log_odds" in swept._store.metrics
    add = "" if has else ("ALTER TABLE images ADD COLUMN log_odds_clean REAL;"
                          "ALTER TABLE images ADD COLUMN log_odds_corrupted REAL;"
                          "ALTER TABLE effects ADD COLUMN log_odds REAL;")  # fmt: skip
    new = store(swept, tmp_path / "3", f"{add} PRAGMA user_version = 3; UPDATE effects SET log_odds = p + image;"
                "UPDATE images SET log_odds_corrupted = 2, log_odds_clean = NULL")  # fmt: skip
    effects = new.effects()
    names = list(effects)
    start = names.index("log_odds_clean")
    assert names[start : start + 4] == ["log_odds_clean", "log_odds_corrupted", "log_odds_patched", "kl_corrupted"]
    restored = effects[effects.direction == "restore"]
    np.testing.assert_array_equal(restored.log_odds_effect, restored.log_odds_patched - 2)
    assert effects.log_odds_clean.isna().all()

    with pytest.raises(VitpatchError, match="its format is version 99; this package reads 1 to 4"):
        store(swept, tmp_path / "99", "PRAGMA user_version = 99")
    with pytest.raises(VitpatchError, match="this is not a vitpatch store"):
        store(swept, tmp_path / "x", "PRAGMA application_id = 1")


def test_what_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(VitpatchError, match="none: no such folder"):
        vitpatch.load(tmp_path / "none")
    with pytest.raises(VitpatchError, match=r"this folder has no results.sqlite"):
        vitpatch.load(tmp_path)
    (tmp_path / "results.sqlite").write_text("no")
    with pytest.raises(VitpatchError, match=r"results.sqlite: file is not a database"):
        vitpatch.load(tmp_path)


def test_missing_values(swept: Results, tmp_path: Path) -> None:
    """NULL becomes nan; images without a label have a missing one."""
    gaps = store(swept, tmp_path / "gaps", "UPDATE effects SET p = NULL WHERE patch = 0; UPDATE images SET label = -1")
    effects = gaps.effects()
    assert effects.p_patched.isna().sum() == 24 and effects.label.isna().all()
    assert gaps.effects(engine="polars")["label"].null_count() == len(effects)
    assert len(gaps.effects({"label": None})) == len(effects)
