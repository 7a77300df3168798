"""``python -m proofs.counted_zoo LOG ...``: zoo's command line; each forward pass is put down.

A line of the log is the number of samples, written before they go through builtin:tinyconv.
"""

from __future__ import annotations

import os
import sys

from zoo.backbones import tinyconv
from zoo.cli import main

if __name__ == "__main__":
    log = os.open(sys.argv.pop(1), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    build = tinyconv.build

    def told(_, arguments, named):
        """Put down the samples of a batch, however it is handed over."""
        (batch,) = (*arguments, *named.values())
        os.write(log, b"%d\n" % len(batch))

    def counted(arrays):
        """The backbone, which tells of each batch."""
        module = build(arrays)
        module.register_forward_pre_hook(told, with_kwargs=True)
        return module

    tinyconv.build = counted
    sys.exit(main())
