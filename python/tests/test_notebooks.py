"""examples/notebooks: each runs, and prints what is stored in it. `make notebooks` stores anew."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from compare import same
from conftest import ROOT
from nbclient import NotebookClient

#: What these print depends on what is installed.
OPTIONAL = {"attribution", "transformer-lens"}
NOTEBOOKS = sorted((ROOT / "examples/notebooks").glob("*.ipynb"))


def shown(cell: Any) -> list[tuple[str, str]]:
    """The kinds of a cell's outputs, with their text where they are text."""
    out: list[tuple[str, str]] = []
    for output in cell.outputs:
        if output.output_type == "stream":
            # A warning names the kernel's own file of a cell.
            out.append((output.name, re.sub(r"/tmp/ipykernel_\d+/\d+\.py", "CELL", output.text)))
        elif "data" in output:
            kinds = "+".join(sorted(output.data))
            # A figure's text says how many pixels it has, a sweep's where its folder is.
            text = output.data.get("text/plain", "")
            out.append((kinds, "" if text.startswith("<") else text))
    return out


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook(path: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    store = request.config.getoption("--store-notebooks")
    notebook: Any = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    stored = [shown(cell) for cell in notebook.cells if cell.cell_type == "code"]
    # In a folder of its own, which holds its runs/; Demo/ is found from there.
    (tmp_path / "Demo").symlink_to(ROOT / "Demo")
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    if store:
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)  # times
        nbformat.write(notebook, path)  # type: ignore[no-untyped-call]
        return
    if path.stem in OPTIONAL:
        return
    ran = [shown(cell) for cell in notebook.cells if cell.cell_type == "code"]
    for number, (want, got) in enumerate(zip(stored, ran, strict=True)):
        assert [kind for kind, _ in got] == [kind for kind, _ in want], f"cell {number}"
        for (_, expected), (_, text) in zip(want, got, strict=True):
            assert same(expected, text), f"cell {number} printed\n{text}\nand not\n{expected}"


def test_there_are_notebooks() -> None:
    assert len(NOTEBOOKS) >= 5
