"""Reads `results.sqlite`, the store of a sweep; docs/results.md explains its tables."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ._columns import Array, Column, Integers, integers, places, take, texts
from ._errors import VitpatchError

_APPLICATION = 0x76697470
_VERSIONS = range(1, 5)
_PLACE = ["direction", "site", "layer", "head", "token", "window"]
#: Metrics with a clean, a corrupted and a patched value, in the export's order
_METRICS = ["p", "logit", "logit_diff"]
#: Columns that `where` may name
_IMAGE_FILTERS = ["image", "label", "target", "foil", "corruption", "pred_clean", "pred_corrupted"]
_PATCH_FILTERS = [*_PLACE, "control", "extent"]
#: Integer keys of the manifest
_NUMBERS = ["layers", "seed", "samples", "offset", "limit", "control", "exact_images", "shapley", "pair_count"]


class Store:
    """One results folder. It is opened anew for every read, so nothing is locked while a sweep is running."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "results.sqlite"
        if not self.path.is_file():
            what = "no such folder" if not folder.exists() else "this folder has no results.sqlite"
            raise VitpatchError(f"{folder}: {what}; expected the results folder of a sweep")
        with self._database() as db:
            application = db.execute("PRAGMA application_id").fetchone()[0]
            self.version: int = db.execute("PRAGMA user_version").fetchone()[0]
            if application != _APPLICATION:
                raise VitpatchError(f"{self.path}: this is not a vitpatch store")
            if self.version not in _VERSIONS:
                raise VitpatchError(
                    f"{self.path}: its format is version {self.version}; "
                    f"this package reads {_VERSIONS[0]} to {_VERSIONS[-1]}"
                )
            self.manifest = _manifest(dict(db.execute("SELECT key, value FROM manifest")))
            self.corruptions: list[str] = [
                row[0] for row in db.execute("SELECT spec FROM corruptions ORDER BY corruption")
            ]
            control = "control, extent" if self.version > 1 else "0, ''"
            self.patches: list[tuple[Any, ...]] = db.execute(
                f"SELECT {', '.join(_PLACE)}, {control} FROM patches ORDER BY patch"
            ).fetchall()
            self._columns = {
                table: [row[1] for row in db.execute(f"PRAGMA table_info({table})")] for table in ("images", "effects")
            }
        self.manifest["corruptions"] = self.corruptions
        #: Stores have `log_odds` from version 3 on.
        self.metrics = _METRICS + [name for name in ["log_odds"] if name in self._columns["effects"]]
        #: Columns of estimates, such as `atp_log_odds`
        self.estimates: list[str] = self.manifest.get("estimates", [])

    @property
    def _patch_with(self) -> str:
        """The source of patched-in activations; stores of older versions have it only in their spec."""
        if name := self.manifest.get("patch_with"):
            return str(name)
        spec = self.manifest.get("spec")
        return str(spec.get("patchWith", "clean")) if isinstance(spec, dict) else "clean"

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        db = None
        try:
            # A path may contain ? and #, which are special in a URI.
            db = sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True)
            yield db
        except sqlite3.Error as error:
            raise VitpatchError(f"{self.path}: {error}") from error
        finally:
            if db is not None:
                db.close()

    def image_columns(self, db: sqlite3.Connection, kept_only: bool) -> tuple[list[tuple[int, int]], dict[str, Column]]:
        """(image, corruption) keys, and the columns of every image under every corruption, in the export's order."""
        names = ["image", "corruption", "id", "label", "target", "foil", "kept"]
        passes = ["clean", "corrupted"]
        floats = [f"{metric}_{which}" for metric in self.metrics for which in passes] + ["kl_corrupted"]
        predictions = [f"pred_{which}" for which in passes]
        rows = db.execute(
            f"SELECT {', '.join([*names, *floats, *predictions, 'p_donor'])} FROM images "
            f"{'WHERE kept' if kept_only else ''} ORDER BY image, corruption"
        ).fetchall()
        fields = _transposed([*names, *floats, *predictions, "p_donor"], rows)
        out: dict[str, Column] = {"image": texts(fields["id"])}
        for name in ["label", "target", "foil"]:
            out[name] = integers([None if value is None or value < 0 else value for value in fields[name]])
        out["corruption"] = texts([self.corruptions[index] for index in fields["corruption"]])
        out |= {name: np.array(fields[name], np.float64) for name in floats}
        out |= {name: np.array(fields[name], np.int64) for name in predictions}
        if "donor" in self.manifest:
            out["p_donor"] = np.array(fields["p_donor"], np.float64)
        if not kept_only:
            out["kept"] = np.array(fields["kept"], bool)
        return list(zip(fields["image"], fields["corruption"], strict=True)), out

    def patch_columns(self, which: Array | None = None) -> dict[str, Column]:
        """The columns `direction` to `window`, `control` and `extent` of all patches, or of those in `which`"""
        chosen = self.patches if which is None else [self.patches[index] for index in which]
        fields = _transposed([*_PLACE, "control", "extent"], chosen)
        out: dict[str, Column] = {name: texts(fields[name]) for name in ["direction", "site"]}
        out |= {name: places(fields[name]) for name in ["layer", "head", "token", "window"]}
        out |= {"control": np.array(fields["control"], np.int64), "extent": texts(fields["extent"])}
        return out

    def effects(self, where: Mapping[str, object] | None, with_effects: bool) -> dict[str, Column]:
        """The export's columns, one row per image and patch, then `METRIC_effect` if `with_effects`. For a patch
        without an exact pass, measured values are nan, and `pred_patched` is missing."""
        with self._database() as db:
            keys, image = self.image_columns(db, kept_only=True)
            images, patches = self._wanted(where or {}, image, self.patch_columns())
            patch = self.patch_columns(patches)
            found = self._read_effects(db, keys, images, patches)
            estimated: dict[str, Array] = {}
            if self.estimates:
                found, estimated = self._with_estimates(db, found, keys, images, patches)
        row, which = found["row"], np.searchsorted(patches, found["patch"])
        base_is_clean = np.array([p[0] == "noise" for p in self.patches], bool)[found["patch"]]

        patched: dict[str, Array] = {m: np.ascontiguousarray(found[m]) for m in [*self.metrics, "kl"]}
        out: dict[str, Column] = {n: take(image[n], row) for n in ["image", "label", "target", "foil", "corruption"]}
        out |= {name: take(patch[name], which) for name in _PLACE}

        def passes(metric: str) -> dict[str, Column]:
            both: dict[str, Column] = {
                f"{metric}_{p}": take(image[f"{metric}_{p}"], row) for p in ("clean", "corrupted")
            }
            return both | {f"{metric}_patched": patched[metric]}

        for metric in _METRICS:
            out |= passes(metric)
        out["kl_patched"] = patched["kl"]
        out |= {name: take(image[name], row) for name in ("pred_clean", "pred_corrupted")}
        predicted = found["pred"].astype(np.int64)
        lacking = predicted < 0
        out["pred_patched"] = Integers(predicted, lacking) if lacking.any() else predicted
        if "p_donor" in image:
            out["p_donor"] = take(image["p_donor"], row)
        out |= {name: take(patch[name], which) for name in ("control", "extent")}
        if "log_odds" in self.metrics:
            out |= passes("log_odds")
            out["kl_corrupted"] = take(image["kl_corrupted"], row)
        for name, value in [("patch_with", self._patch_with), ("donor", self.manifest.get("donor"))]:
            out[name] = take(texts([value or ""]), np.zeros(len(row), np.int64))
        out |= estimated
        if with_effects:
            for metric in self.metrics:
                clean, corrupted = image[f"{metric}_clean"], image[f"{metric}_corrupted"]
                assert isinstance(clean, np.ndarray) and isinstance(corrupted, np.ndarray)
                out[f"{metric}_effect"] = patched[metric] - np.where(base_is_clean, clean[row], corrupted[row])
            corrupted = image["kl_corrupted"]
            assert isinstance(corrupted, np.ndarray)
            out["kl_effect"] = patched["kl"] - np.where(base_is_clean, 0.0, corrupted[row])
        return out

    def _wanted(
        self, where: Mapping[str, object], image: dict[str, Column], patch: dict[str, Column]
    ) -> tuple[Array, Array]:
        """The image rows and the patches that pass the filters."""
        if unknown := [name for name in where if name not in _IMAGE_FILTERS + _PATCH_FILTERS]:
            raise VitpatchError(f"where: {', '.join(unknown)}: valid are {', '.join(_IMAGE_FILTERS + _PATCH_FILTERS)}")
        out = []
        for names, columns, count in (
            (_IMAGE_FILTERS, image, len(image["pred_clean"])),  # type: ignore[arg-type]
            (_PATCH_FILTERS, patch, len(self.patches)),
        ):
            mask = np.ones(count, bool)
            for name in names:
                if name in where:
                    mask &= _equal(columns[name], where[name])
            out.append(np.flatnonzero(mask))
        return out[0], out[1]

    def _read_effects(
        self, db: sqlite3.Connection, keys: list[tuple[int, int]], images: Array, patches: Array
    ) -> Array:
        """`row` (into `keys`), `patch`, the metrics and `pred` of the given rows, by image, corruption, patch."""
        metrics = [*self.metrics, "kl"]
        dtype = np.dtype([("row", "i4"), ("patch", "i4"), *((name, "f8") for name in metrics), ("pred", "i4")])
        db.execute("CREATE TEMP TABLE i(row INTEGER, image INTEGER, corruption INTEGER)")
        db.executemany("INSERT INTO i VALUES (?, ?, ?)", ((int(row), *keys[row]) for row in images))
        columns = f"i.row, e.patch, {', '.join(f'e.{name}' for name in metrics)}, e.pred"
        join = "i CROSS JOIN effects e USING (image, corruption)"
        if len(patches) < len(self.patches):
            # Few patches are looked up one by one; skipping the others would take as long as reading them.
            db.execute("CREATE TEMP TABLE w(patch INTEGER)")
            db.executemany("INSERT INTO w VALUES (?)", ((int(patch),) for patch in patches))
            join = "i CROSS JOIN w CROSS JOIN effects e USING (image, corruption, patch)"
        return np.fromiter(db.execute(f"SELECT {columns} FROM {join}"), dtype)

    def _with_estimates(
        self, db: sqlite3.Connection, effects: Array, keys: list[tuple[int, int]], images: Array, patches: Array
    ) -> tuple[Array, dict[str, Array]]:
        """The effects, with rows of nan for patches that only have estimates; the estimates, nan where missing."""
        estimated, has = self.read_estimates(db, keys, images, patches)
        shape = (len(images), len(patches))
        there = np.repeat(has[:, None], len(patches), axis=1)
        where = np.searchsorted(images, effects["row"]), np.searchsorted(patches, effects["patch"])
        all_effects: Array = np.empty(shape, effects.dtype)
        for name in effects.dtype.names or ():
            all_effects[name] = -1 if name == "pred" else np.nan if effects.dtype[name].kind == "f" else 0
        all_effects[where] = effects
        all_effects["row"], all_effects["patch"] = images[:, None], patches
        there[where] = True
        return all_effects[there], {name: values[there] for name, values in estimated.items()}

    def read_estimates(
        self, db: sqlite3.Connection, keys: list[tuple[int, int]], images: Array, patches: Array
    ) -> tuple[dict[str, Array], Array]:
        """Every estimate [images, patches], nan where there is none, and which images have estimates."""
        estimated = {name: np.full((len(images), len(patches)), np.nan) for name in self.estimates}
        there = np.zeros(len(images), bool)
        for position, row in enumerate(images):
            for name, data in db.execute(
                "SELECT name, data FROM estimates WHERE image = ? AND corruption = ?", keys[row]
            ):
                values = np.frombuffer(data, "<f4")
                if name not in estimated or len(values) != len(self.patches):
                    raise VitpatchError(f"{self.path}: {name} has {len(values)} values for {len(self.patches)} patches")
                estimated[name][position] = values[patches]
                there[position] = True
        return estimated, there

    def images(self) -> dict[str, Column]:
        """One row per image and corruption, including those that `--keep` left out, with the columns of `--groups`."""
        with self._database() as db:
            keys, columns = self.image_columns(db, kept_only=False)
            if db.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'groups'").fetchone():
                groups: dict[str, dict[int, str]] = {}
                for image, column, value in db.execute('SELECT image, "column", value FROM "groups" ORDER BY rowid'):
                    groups.setdefault(column, {})[image] = value
                for column, values in groups.items():
                    columns.setdefault(column, texts([values.get(image, "") for image, _ in keys]))
        return columns

    def logits(self, which: str) -> tuple[Array, Array, dict[str, Column]]:
        """Logits [rows, classes], float32; the patch of every row [rows]; `image` and `corruption` of every row."""
        with self._database() as db:
            rows = db.execute(
                "SELECT l.image, l.corruption, ifnull(patch, -1), data, i.id FROM logits l "
                "JOIN images i USING (image, corruption) WHERE pass = ? ORDER BY l.image, l.corruption, patch",
                (which,),
            ).fetchall()
        classes = len(self.manifest["class_names"])
        values = np.frombuffer(b"".join(row[3] for row in rows), "<f4").reshape(-1, classes)
        names: dict[str, Column] = {
            "image": texts([row[4] for row in rows]),
            "corruption": texts([self.corruptions[row[1]] for row in rows]),
        }
        return values, np.array([row[2] for row in rows], np.int64), names


def _transposed(names: list[str], rows: list[tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
    """Transposes rows to columns, by name."""
    return dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(names, ())


def _equal(column: Column, wanted: object) -> Array:
    """Which values equal `wanted`, or one of several; None matches missing values. 3 and "3" are the same."""
    several = wanted if isinstance(wanted, Iterable) and not isinstance(wanted, str) else [wanted]
    wants = {"" if item is None else str(item) for item in several}
    if isinstance(column, np.ndarray):
        return np.array([str(value) in wants for value in column.tolist()], bool)
    if hasattr(column, "codes"):
        hits = np.array([value in wants for value in column.values] + ["" in wants], bool)
        return hits[column.codes.astype(np.int64)]
    pairs = zip(column.values.tolist(), column.missing.tolist(), strict=True)
    return np.array([("" if gone else str(value)) in wants for value, gone in pairs], bool)


def _manifest(rows: dict[str, str]) -> dict[str, Any]:
    """Parses numbers, booleans and JSON."""
    out: dict[str, Any] = {}
    for key, value in rows.items():
        if key in ("spec", "class_names", "estimates"):
            out[key] = json.loads(value)
        elif key in _NUMBERS:
            out[key] = int(value)
        elif key == "logits":
            out[key] = value == "1"
        else:
            out[key] = value
    return out
