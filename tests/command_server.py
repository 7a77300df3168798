"""Serves ``python -m zoo``: each command is a fork of a process that has its imports behind it.

Most commands of the tests take milliseconds, and importing torch and transformers for them seconds.
What is imported here has computed nothing, so that a fork is as good as new: its threads are its
own. Requests are lines of JSON on stdin; the answers are the process's number and its exit code.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
from contextlib import suppress
from typing import NoReturn

IMPORTED = (
    "zoo.cli",
    "numpy",
    "scipy.optimize",
    "sklearn.datasets",
    "PIL.Image",
    "torch",
    "transformers.models.bert.modeling_bert",
    "transformers.models.bert.tokenization_bert",
    "transformers.models.vit.modeling_vit",
)


def main() -> int:
    # What the command line sets before these libraries are loaded.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for name in IMPORTED:
        with suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # a fork that looked for garbage among the imports would copy them
    requests, answers = os.dup(0), os.dup(1)
    with os.fdopen(requests, encoding="utf-8") as lines:
        for line in lines:
            process = os.fork()
            if process == 0:
                os.close(answers)
                command(**json.loads(line))
            os.write(answers, f"{process}\n".encode())
            _, status = os.waitpid(process, 0)
            os.write(answers, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    return 0


def command(words: list[str], cwd: str, env: dict[str, str], out: str, err: str) -> NoReturn:
    """The command in this process, which is its own and ends with it."""
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    for path, mode, there in ((os.devnull, "rb", 0), (out, "wb", 1), (err, "wb", 2)):
        with open(path, mode) as file:  # noqa: PTH123 - zoo's own imports decide what is loaded
            os.dup2(file.fileno(), there)
    sys.argv = ["zoo", *words]
    from zoo.__main__ import run

    code = run()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)  # taking down what was imported would take longer than most commands


if __name__ == "__main__":
    sys.exit(main())
