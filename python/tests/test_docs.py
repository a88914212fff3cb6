"""docs/python.md: its session runs from top to bottom and prints the text shown."""

from __future__ import annotations

import doctest
import re
from pathlib import Path
from typing import Any

import pytest
from compare import same
from conftest import ROOT

import vitpatch

PAGE = ROOT / "docs/python.md"


class Checker(doctest.OutputChecker):
    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        return super().check_output(want, got, optionflags) or same(want, got)


def test_the_session_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = "\n".join(re.findall(r"^```pycon\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL))
    (tmp_path / "Demo").symlink_to(ROOT / "Demo")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    test = doctest.DocTestParser().get_doctest(session, names, "docs/python.md", str(PAGE), 0)
    assert len(test.examples) > 10
    report: list[str] = []
    runner = doctest.DocTestRunner(Checker(), verbose=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    runner.run(test, out=report.append, clear_globs=False)
    assert runner.summarize(verbose=False).failed == 0, "".join(report)
    assert (tmp_path / "heads.png").stat().st_size > 5000


def test_every_function_and_method_is_on_the_page() -> None:
    page = PAGE.read_text()
    methods = [name for name in vars(vitpatch.Results) if not name.startswith("_")]
    for name in [*methods, *vitpatch.__all__]:
        assert re.search(rf"\b{name}\b", page), name
