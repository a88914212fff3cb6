"""Running the program: errors, warnings, progress, Ctrl-C, and the other commands."""

from __future__ import annotations

import inspect
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vitpatch
from vitpatch import Results, VitpatchError, VitpatchWarning
from vitpatch._run import run


def test_errors_have_the_programs_sentence(tmp_path: Path) -> None:
    with pytest.raises(VitpatchError) as caught:
        vitpatch.sweep("/no/such/model", out=tmp_path / "x")
    assert str(caught.value) == "/no/such/model: no such folder"
    assert caught.value.returncode == 1 and caught.value.command[1:3] == ["sweep", "--model"]
    with pytest.raises(VitpatchError) as caught:
        vitpatch.sweep(site="nowhere", out=tmp_path / "x")
    assert str(caught.value).startswith("--site nowhere") and "Usage" not in str(caught.value)
    assert caught.value.returncode == 64
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("progress", [False, True])
def test_errors_are_the_same_with_a_progress_bar(progress: bool, swept: Results) -> None:
    with pytest.raises(VitpatchError, match=r"^.*--overwrite.*$") as caught:
        vitpatch.sweep(limit=1, out=swept.folder, progress=progress)
    assert "\x1b" not in str(caught.value) and "\r" not in str(caught.value)


def test_no_driver_names_the_package_that_brings_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCL_ICD_VENDORS", "/nowhere")
    with pytest.raises(VitpatchError, match=r"no OpenCL device found.*pocl-opencl-icd"):
        vitpatch.sweep(limit=1, out=tmp_path / "x")


def test_the_default_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = vitpatch.sweep(limit=1, layers=0, progress=False)
    second = vitpatch.sweep(limit=1, layers=0, progress=False)
    assert re.fullmatch(r"runs/\d{4}-\d\d-\d\d-\d{6}(-\d)?", str(first.folder))
    assert first.folder != second.folder
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "0")
    for name, value in {"TASK_COUNT": 1, "TASK_MIN": 0, "TASK_MAX": 0, "TASK_STEP": 1, "JOB_ID": 7}.items():
        monkeypatch.setenv(f"SLURM_ARRAY_{name}", str(value))
    assert str(vitpatch.sweep(limit=1, layers=0, progress=False).folder) == "runs/7/0"


def test_progress_goes_to_tqdm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []

    class Bar:
        def __init__(self, total: int) -> None:
            self.n, self.total = 0, total

        def update(self, n: int) -> None:
            self.n += n
            seen.append((self.n, self.total))

        def close(self) -> None:
            seen.append((-1, self.total))

    monkeypatch.setattr("vitpatch._run._tqdm", Bar)
    monkeypatch.setenv("NO_COLOR", "1")
    vitpatch.sweep(limit=48, layers=0, out=tmp_path / "x")
    assert seen[0][1] == 48 and seen[-1] == (-1, 48)
    assert (48, 48) in seen and [n for n, _ in seen[:-1]] == sorted(n for n, _ in seen[:-1])
    monkeypatch.setattr("vitpatch._run._tqdm", lambda total: None)
    vitpatch.sweep(limit=2, layers=0, out=tmp_path / "y")


def test_ctrl_c_keeps_what_is_done(tmp_path: Path) -> None:
    # Little memory makes many waves, so that some are done when the signal comes.
    options = {"corruption": "noise:1", "samples": 400, "memory": "16M", "out": str(tmp_path / "cut")}
    # Where tests run in the background, the signal is ignored, and so it would be in the process.
    code = "import signal, vitpatch\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code += f"vitpatch.sweep(**{options!r})"
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    for _ in range(600):
        if images_in(tmp_path / "cut") > 0:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode in (-signal.SIGINT, 130)
    last = errors.strip().splitlines()
    assert any(re.match(r"KeyboardInterrupt: .*", line) for line in last)
    found = re.search(r"Interrupted; (\d+) of 240 images are in", errors)
    assert found and 0 < int(found[1]) < 240
    assert "░" not in errors  # the program's own bar
    done = vitpatch.load(tmp_path / "cut")
    assert "ended" not in done.manifest and "not finished" in repr(done)
    assert len(done.images()) == int(found[1])


def images_in(folder: Path) -> int:
    if not (folder / "results.sqlite").is_file():
        return 0
    db = sqlite3.connect(folder / "results.sqlite")
    try:
        return int(db.execute("SELECT count(*) FROM images").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    finally:
        db.close()


def test_resume(tmp_path: Path) -> None:
    whole = vitpatch.sweep(limit=8, layers=0, out=tmp_path / "x", progress=False)
    with sqlite3.connect(tmp_path / "x/results.sqlite") as db:
        db.executescript("DELETE FROM effects WHERE image > 3; DELETE FROM manifest WHERE key = 'ended'")
    db.close()
    again = vitpatch.sweep(limit=8, layers=0, out=tmp_path / "x", resume=True, progress=False)
    assert again.effects().equals(whole.effects()) and len(again.images()) == 8


def test_warnings_are_warnings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "vitpatch"
    program.write_text("#!/bin/sh\necho 'Warning: mind the gap' >&2\necho fine\n")
    program.chmod(0o755)
    monkeypatch.setenv("VITPATCH_EXE", str(program))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert run(["sweep"]).stdout == "fine\n"
    assert [(w.category, str(w.message)) for w in caught] == [(VitpatchWarning, "mind the gap")]
    program.write_text("#!/bin/sh\nkill -9 $$\n")
    with pytest.raises(VitpatchError, match="vitpatch was ended by signal 9"):
        run(["sweep"])


def test_search(tmp_path: Path) -> None:
    found = vitpatch.search(limit=20, max=2, until=0.99, layers="0-1", out=tmp_path / "found", progress=False)
    steps = found.steps()
    assert len(steps) == len(found.data["steps"]) <= 2
    assert found.data["steps"][0]["searched"]["share"] == pytest.approx(steps.share[0])
    assert f"{len(steps)} of 8 places" in repr(found) and "held_out_share" in found._repr_html_()
    with pytest.raises(VitpatchError, match=r"search.json: No such file"):
        vitpatch.SearchResult(tmp_path)


@pytest.mark.parametrize("name", ["sweep", "search", "classify"])
def test_every_flag_has_a_keyword(name: str) -> None:
    """Except those that choose what is printed, which a function does itself."""
    flags = re.findall(r"^ +--([a-z-]+)", run([name, "--help"]).stdout, re.MULTILINE)
    keywords = set(inspect.signature(getattr(vitpatch, name)).parameters)
    printing = {"format", "print_spec", "verbose", "version"}
    assert len(flags) > 10
    assert [flag for flag in flags if flag.replace("-", "_") not in keywords | printing] == []


@pytest.mark.parametrize("function", [vitpatch.sweep, vitpatch.search, vitpatch.classify])
def test_how_images_are_read(function: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, arguments = tmp_path / "vitpatch", tmp_path / "arguments"
    program.write_text(f"#!/bin/sh\necho \"$*\" > {arguments}\necho 'Error: enough' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("VITPATCH_EXE", str(program))
    with pytest.raises(VitpatchError, match="enough"):
        function(image_size="32x48", resize="torchvision", exif="apply")
    assert "--image-size 32x48 --resize torchvision --exif apply" in arguments.read_text()


def test_compare(swept: Results, tmp_path: Path) -> None:
    other = vitpatch.sweep(
        site=["attn_out", "z"], window=[1, 3], layers="0-3", direction=["restore", "noise"], limit=24,
        corruption="channel:r", out=tmp_path / "other", progress=False,
    )  # fmt: skip
    table = vitpatch.compare(swept, other.folder)
    assert len(table) == len(other.summary())
    np.testing.assert_allclose(table.mean_effect_a, swept.summary().mean_effect)
    np.testing.assert_allclose(table.mean_effect_b, other.summary().mean_effect)
    np.testing.assert_allclose(table.difference, table.mean_effect_b - table.mean_effect_a)


def test_classify() -> None:
    table = vitpatch.classify(limit=40, corruption="grayscale")
    assert list(table)[:4] == ["image", "label", "prediction", "p_label"] and len(table) == 40
    logits = table.filter(like="logit_").to_numpy()
    assert (logits.argmax(1) == table.prediction).all()
    assert table.attrs["accuracy"] == (table.label == table.prediction).mean() < 0.9


def test_verify_raises_what_it_is_told() -> None:
    with pytest.raises(VitpatchError, match="--gemm none"):
        vitpatch.verify(gemm="none")


def test_options_of_later_programs_are_refused_by_this_one_in_words(tmp_path: Path, capfd: Any) -> None:
    """A keyword for a flag that the program lacks is named in the error, not ignored."""
    help_text = run(["sweep", "--help"]).stdout
    for name in ("foil", "estimate", "exact_images"):
        if f"--{name.replace('_', '-')}" not in help_text:
            with pytest.raises(VitpatchError, match=f"Unknown option '--{name.replace('_', '-')}'"):
                vitpatch.sweep(out=tmp_path / "x", **{name: "clean"})  # type: ignore[arg-type]
    assert capfd.readouterr().err == ""
    assert os.listdir(tmp_path) == []  # noqa: PTH208
