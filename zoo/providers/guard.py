"""Closes doors while foreign code or a foreign library loads a model: the network and stdin."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_METHODS = ("connect", "connect_ex", "sendto")


@contextmanager
def no_sockets(refusal: Callable[[], Exception]) -> Iterator[None]:
    """Whoever opens a connection from this thread meanwhile gets `refusal()` raised.

    Connections that are open stay so, and other threads keep the network: they are the program's
    own. Code in C could still connect; no loader does.
    """
    mine = threading.get_ident()

    def closed(function: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if threading.get_ident() == mine:
                raise refusal()
            return function(*args, **kwargs)

        return guarded

    before = {name: getattr(socket.socket, name) for name in _METHODS}
    look_up = socket.getaddrinfo
    try:
        for name, method in before.items():
            setattr(socket.socket, name, closed(method))
        socket.getaddrinfo = closed(look_up)
        yield
    finally:
        for name, method in before.items():
            setattr(socket.socket, name, method)
        socket.getaddrinfo = look_up


@contextmanager
def no_questions() -> Iterator[None]:
    """Standard input is at its end meanwhile: a library that asks gets no answer."""
    before = sys.stdin
    with Path("/dev/null" if sys.platform != "win32" else "NUL").open(encoding="utf-8") as nothing:
        sys.stdin = nothing
        try:
            yield
        finally:
            sys.stdin = before
