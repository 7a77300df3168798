"""Starting is cheap: help loads click alone, and nothing loads torch before it is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Modules of the interpreter's own start-up (site, encodings) are there before zoo is.
PROBE = """
import sys
before = set(sys.modules)
{code}
loaded = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print(" ".join(sorted(loaded - set(sys.stdlib_module_names))))
"""


@pytest.fixture
def third_party(tmp_path):
    """Names of the packages that some code loads, the standard library's aside."""

    def run(code):
        done = subprocess.run(
            [sys.executable, "-c", PROBE.format(code=code)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        return set(done.stdout.splitlines()[-1].split())

    return run


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], [], ["--version"], ["nonsense"]])
def test_help_loads_nothing_but_click(third_party, arguments):
    code = f"import contextlib, io\nfrom zoo.cli import main\nmain({arguments})"
    quiet = "import io, sys, contextlib\nwith contextlib.redirect_stdout(io.StringIO()):\n"
    code = quiet + "\n".join("    " + line for line in code.splitlines())
    assert third_party(code) <= {"zoo", "click"}


def test_the_help_of_a_verb_loads_nothing_heavy(third_party):
    for verb in ("transfer", "extract", "predict", "demo", "models", "runs", "cache", "doctor"):
        code = (
            "import io, contextlib\nfrom zoo.cli import main\n"
            f"with contextlib.redirect_stdout(io.StringIO()):\n    main(['{verb}', '--help'])"
        )
        assert third_party(code) <= {"zoo", "click"}, verb


def test_importing_zoo_loads_nothing(third_party):
    assert third_party("import zoo") == {"zoo"}


def test_importing_the_engine_loads_numpy_alone(third_party):
    assert third_party("import zoo.engine") <= {"zoo", "numpy"}


def test_only_the_estimators_load_scikit_learn_and_they_load_no_torch(third_party):
    assert "sklearn" not in third_party("import zoo, zoo.features, zoo.runs, zoo.heads.logistic")
    loaded = third_party("import zoo.sklearn")
    assert "sklearn" in loaded
    assert not loaded & {"torch", "transformers", "onnxruntime", "PIL"}
