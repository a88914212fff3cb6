"""examples/notebooks: each runs and prints its stored outputs. `make notebooks` stores them anew."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from compare import same
from conftest import ROOT
from nbclient import NotebookClient

#: Outputs of these depend on optional packages.
OPTIONAL = {"attribution", "transformer-lens"}
NOTEBOOKS = sorted((ROOT / "examples/notebooks").glob("*.ipynb"))


def shown(cell: Any) -> list[tuple[str, str]]:
    """The kinds of a cell's outputs, with the text of textual ones."""
    out: list[tuple[str, str]] = []
    for output in cell.outputs:
        if output.output_type == "stream":
            # A warning contains the kernel's own file name for the cell.
            out.append((output.name, re.sub(r"/tmp/ipykernel_\d+/\d+\.py", "CELL", output.text)))
        elif "data" in output:
            kinds = "+".join(sorted(output.data))
            # A figure's text contains its size in pixels, a sweep's the path of its folder.
            text = output.data.get("text/plain", "")
            out.append((kinds, "" if text.startswith("<") else text))
    return out


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook(path: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    store = request.config.getoption("--store-notebooks")
    notebook: Any = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    stored = [shown(cell) for cell in notebook.cells if cell.cell_type == "code"]
    # Run in a temporary folder, which gets the runs/ folder; Demo/ is linked there.
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
