"""The command ``zoo`` and ``python -m zoo``: Ctrl-C is one orderly end, or a quick one.

It stands here, and little is imported before it, because the command line itself takes a moment to
import.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType

_INTERRUPTED = 130
_WAIT = 0.05  # seconds between looks at whether torch's import is over


class _CtrlC:
    """What Ctrl-C does in this process.

    The first raises KeyboardInterrupt: rows that are done are sealed, and the command to go on with
    is printed. From then on the system's own handler stands, so that a second one ends the process
    whatever it is doing; what was committed to the store survives that, too.

    While torch is imported the first one waits for the end of it: it aborts the process when its
    initialisation is interrupted. Other half-imported modules raise anything, which is told apart
    by `pressed`.
    """

    def __init__(self) -> None:
        self.pressed = False
        self._looking_again = False

    def install(self) -> None:
        """Take Ctrl-C over, unless it is ignored (nohup, a shell's background job)."""
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._handle)

    def remove(self) -> None:
        """Leave it to the system: threads that still end need no traceback."""
        if signal.getsignal(signal.SIGINT) == self._handle:
            signal.signal(signal.SIGINT, signal.SIG_DFL)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        again, self._looking_again = self._looking_again, False
        if self.pressed and not again:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        if not self.pressed and sys.stderr is not None and sys.stderr.isatty():
            # A progress bar may have hidden the cursor.
            os.write(2, b"\x1b[?25h\nstopping; Ctrl-C again ends at once\n")
        self.pressed = True
        if _importing_torch(frame):
            timer = threading.Timer(_WAIT, self._look_again)
            timer.daemon = True
            timer.start()
            return
        signal.signal(number, signal.SIG_DFL)
        raise KeyboardInterrupt

    def _look_again(self) -> None:
        self._looking_again = True
        main = threading.main_thread().ident
        if hasattr(signal, "pthread_kill") and main is not None:
            signal.pthread_kill(main, signal.SIGINT)  # so that what it waits for is interrupted
        else:
            signal.raise_signal(signal.SIGINT)


def run() -> int:
    """Run the command line of this process and return its exit code."""
    ctrl_c = _CtrlC()
    ctrl_c.install()
    try:
        from zoo.cli import main

        code = main(interrupted=lambda: ctrl_c.pressed)
    except KeyboardInterrupt:  # before the command line could say more, or after
        os.write(2, b"zoo: interrupted\nhint: run it again\n")
        code = _INTERRUPTED
    ctrl_c.remove()
    return code


def _importing_torch(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_name == "<module>" and frame.f_globals.get("__name__") == "torch":
            return True
        frame = frame.f_back
    return False


if __name__ == "__main__":
    sys.exit(run())
