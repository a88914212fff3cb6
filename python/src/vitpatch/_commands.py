"""The commands as functions; keywords are the flags' names with _ instead of -."""

from __future__ import annotations

import datetime
import io
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ._activations import Activations
from ._errors import VitpatchError, missing
from ._inputs import Data, Model, prepared
from ._options import List, PathText, Repeated, flags
from ._results import Results, load
from ._run import run
from ._search import SearchResult

if TYPE_CHECKING:
    import pandas as pd


def sweep(
    model: Model = None,
    data: Data = None,
    *,
    site: Repeated = None,
    window: Repeated = None,
    layers: List = None,
    heads: List = None,
    tokens: List = None,
    neurons: List = None,
    corruption: Repeated = None,
    direction: Repeated = None,
    patch_with: str | None = None,
    ablate: Literal["zero", "mean", "resample"] | None = None,
    donor: PathText | None = None,
    target: str | int | None = None,
    foil: str | int | None = None,
    keep: Literal["all", "clean-correct", "flipped"] | None = None,
    limit: int | None = None,
    offset: int | None = None,
    seed: int | None = None,
    samples: int | None = None,
    noise_sd: Literal["image", "data"] | None = None,
    partner: Literal["any", "other-class"] | None = None,
    control: int | None = None,
    pairs: str | None = None,
    shapley: int | None = None,
    groups: PathText | None = None,
    estimate: Repeated = None,
    estimate_of: Repeated = None,
    exact: str | None = None,
    exact_images: int | None = None,
    logits: bool = False,
    class_map: PathText | None = None,
    classes: PathText | None = None,
    image_size: int | str | None = None,
    resize: Literal["pillow", "torchvision"] | None = None,
    exif: Literal["ignore", "apply"] | None = None,
    skip_unreadable: bool = False,
    shard: str | None = None,
    spec: PathText | None = None,
    memory: str | None = None,
    device: str | int | None = None,
    gemm: str | None = None,
    precision: str | None = None,
    profile: PathText | None = None,
    labels: Any = None,
    processor: Any = None,
    out: PathText | None = None,
    resume: bool = False,
    overwrite: bool = False,
    report: bool = False,
    progress: bool = True,
) -> Results:
    """Patches every requested place on every image, and measures how much of the right answer is restored.

    `vitpatch sweep --help` explains the flags; keywords that are left out have the program's defaults. Repeatable
    flags take several values (`window=[1, 3]`); a LIST takes one value, several or a range (`layers=range(6)`).

    Args:
        model: a folder saved by transformers, a name on the Hugging Face hub, or a model object of transformers or
            timm, which is saved to a temporary folder (default: the built-in demo model)
        data: a folder of class folders, a CIFAR folder, a CSV file, pictures, or a data set of the package datasets.
            Pictures are Pillow images, paths, or uint8 arrays [H, W, 3] or [H, W]; their ids are `CLASS/0000012.png`,
            numbered from 0 in the given order (default: the demo images)
        labels: the pictures' classes, names or indices [images]; not needed with `target="clean"`
        processor: an image processor of transformers, saved with a model object
        patch_with: `file:FILE` patches in, image by image, what `activations` or `save_activations` wrote to FILE
        out: the results folder (default: runs/<time>)
        progress: whether to show a progress bar, if tqdm is installed

    Raises:
        VitpatchError: with the program's error message
        KeyboardInterrupt: after Ctrl-C, at the end of the current wave; `load(out)` has the results so far, and
            `sweep(..., out=out, resume=True)` continues
    """
    options = {
        "site": site, "window": window, "layers": layers, "heads": heads, "tokens": tokens, "neurons": neurons,
        "corruption": corruption, "direction": direction, "patch_with": patch_with, "ablate": ablate, "donor": donor,
        "target": target, "foil": foil, "keep": keep, "limit": limit, "offset": offset, "seed": seed,
        "samples": samples, "noise_sd": noise_sd, "partner": partner, "control": control, "pairs": pairs,
        "shapley": shapley, "groups": groups,
        "estimate": estimate, "estimate_of": estimate_of, "exact": exact, "exact_images": exact_images,
        "logits": logits, "class_map": class_map, "classes": classes, "image_size": image_size,
        "resize": resize, "exif": exif, "skip_unreadable": skip_unreadable, "shard": shard, "spec": spec,
        "memory": memory, "device": device, "gemm": gemm, "precision": precision, "profile": profile,
        "resume": resume, "overwrite": overwrite, "report": report,
    }  # fmt: skip
    # In a Slurm job array the program names the folder after the task.
    folder = out if out is not None else None if "SLURM_ARRAY_TASK_ID" in os.environ else _new_folder()
    with prepared(model, data, labels, processor) as inputs:
        output = run(["sweep", *flags({**inputs, **options, "out": folder})], progress=progress)
    if folder is None:
        found = re.search(r"^Results in (.*); vitpatch export ", output.stdout, re.MULTILINE)
        if not found:
            raise VitpatchError("vitpatch sweep did not say where its results are")
        folder = found[1]
    return load(folder)


def search(
    model: Model = None,
    data: Data = None,
    *,
    site: Repeated = None,
    layers: List = None,
    heads: List = None,
    tokens: List = None,
    corruption: str | None = None,
    direction: str | None = None,
    patch_with: str | None = None,
    until: float | None = None,
    max: int | None = None,
    holdout: float | None = None,
    screen: int | None = None,
    metric: Literal["p", "log_odds", "logit_diff"] | None = None,
    target: str | int | None = None,
    foil: str | int | None = None,
    keep: Literal["all", "clean-correct", "flipped"] | None = None,
    limit: int | None = None,
    offset: int | None = None,
    seed: int | None = None,
    samples: int | None = None,
    noise_sd: Literal["image", "data"] | None = None,
    class_map: PathText | None = None,
    classes: PathText | None = None,
    image_size: int | str | None = None,
    resize: Literal["pillow", "torchvision"] | None = None,
    exif: Literal["ignore", "apply"] | None = None,
    skip_unreadable: bool = False,
    memory: str | None = None,
    device: str | int | None = None,
    gemm: str | None = None,
    precision: str | None = None,
    labels: Any = None,
    processor: Any = None,
    out: PathText | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> SearchResult:
    """Finds a small set of places that restores the answer: the best one, then the best to add to it, and so on.

    `vitpatch search --help` explains the flags; `model`, `data`, `labels`, `processor` and errors are as in `sweep`.

    Args:
        patch_with: `file:FILE` patches in a file's activations, as in `sweep`
        out: the folder for search.csv and search.json (default: runs/<time>-search)
    """
    options = {
        "site": site, "layers": layers, "heads": heads, "tokens": tokens, "corruption": corruption,
        "direction": direction, "until": until, "max": max, "holdout": holdout, "screen": screen, "metric": metric,
        "target": target, "foil": foil,
        "keep": keep, "limit": limit, "offset": offset, "seed": seed, "samples": samples, "noise_sd": noise_sd,
        "class_map": class_map, "classes": classes, "image_size": image_size, "resize": resize, "exif": exif,
        "skip_unreadable": skip_unreadable, "memory": memory, "device": device, "gemm": gemm, "precision": precision,
        "overwrite": overwrite,
    }  # fmt: skip
    folder = out if out is not None else _new_folder("-search")
    with prepared(model, data, labels, processor) as inputs:
        run(["search", *flags({**inputs, **options, "out": folder})], progress=progress)
    return SearchResult(folder)


def compare(a: Results | PathText, b: Results | PathText) -> pd.DataFrame:
    """The paired difference B - A of two sweeps: one row per patch, columns as in `vitpatch compare --format csv`."""
    folders = [str(item.folder) if isinstance(item, Results) else os.fspath(item) for item in (a, b)]
    return _table(run(["compare", *folders, "--format", "csv"]).stdout)


def classify(
    model: Model = None,
    data: Data = None,
    *,
    corruption: str | None = None,
    limit: int | None = None,
    offset: int | None = None,
    seed: int | None = None,
    class_map: PathText | None = None,
    classes: PathText | None = None,
    image_size: int | str | None = None,
    resize: Literal["pillow", "torchvision"] | None = None,
    exif: Literal["ignore", "apply"] | None = None,
    skip_unreadable: bool = False,
    memory: str | None = None,
    device: str | int | None = None,
    gemm: str | None = None,
    precision: str | None = None,
    profile: PathText | None = None,
    labels: Any = None,
    processor: Any = None,
) -> pd.DataFrame:
    """The model's predictions: one row per image with `image`, `label`, `prediction` (class indices), `p_label` and
    `logit_0` ... `logit_C-1`. `.attrs["accuracy"]` is the accuracy over labelled images, if there are any.

    `model`, `data`, `labels`, `processor` and errors are as in `sweep`.
    """
    options = {
        "corruption": corruption, "limit": limit, "offset": offset, "seed": seed, "class_map": class_map,
        "classes": classes, "image_size": image_size, "resize": resize, "exif": exif,
        "skip_unreadable": skip_unreadable, "memory": memory, "device": device, "gemm": gemm, "precision": precision,
        "profile": profile,
    }  # fmt: skip
    with prepared(model, data, labels, processor) as inputs:
        frame = _table(run(["classify", *flags({**inputs, **options})]).stdout)
    labelled = frame[frame["label"].notna()]
    if len(labelled):
        frame.attrs["accuracy"] = float((labelled["label"] == labelled["prediction"]).mean())
    return frame


def verify(*, device: str | int | None = None, gemm: str | None = None, seed: int | None = None) -> str:
    """Checks this machine's device against the double-precision reference, operation by operation and end to end;
    takes about a minute.

    Returns:
        the table of the checks

    Raises:
        VitpatchError: if a check fails
    """
    return run(["verify", *flags({"device": device, "gemm": gemm, "seed": seed})]).stdout


def activations(
    model: Model = None,
    data: Data = None,
    *,
    site: Repeated,
    out: PathText,
    layers: List = None,
    tokens: List = None,
    corruption: str | None = None,
    labels: Any = None,
    processor: Any = None,
    overwrite: bool = False,
    progress: bool = True,
    **options: Any,
) -> Activations:
    """Writes every image's activations to the file `out` and opens it, memory-mapped.

    `activations(...)["clean.z.3"]` is [images, H, T, Dh]; without a corruption there are only clean arrays. Further
    keywords are flags of `vitpatch activations`; `model`, `data`, `labels`, `processor` and errors are as in `sweep`.
    `Activations(out)` opens the file again.
    """
    own = {"site": site, "layers": layers, "tokens": tokens, "corruption": corruption, "overwrite": overwrite}
    with prepared(model, data, labels, processor) as inputs:
        run(["activations", *flags({**inputs, **own, **options, "out": out})], progress=progress)
    return Activations(out)


def _new_folder(suffix: str = "") -> Path:
    """runs/<time>, named as by the program; with a number if a run of the same second has that name."""
    name = f"{datetime.datetime.now():%Y-%m-%d-%H%M%S}{suffix}"
    folder, number = Path("runs") / name, 1
    while folder.exists():
        number += 1
        folder = Path("runs") / f"{name}-{number}"
    return folder


def _table(text: str) -> pd.DataFrame:
    try:
        import pandas as pd
    except ImportError:
        raise missing("pandas", "this table") from None
    return pd.read_csv(io.StringIO(text), dtype={"image": str})
