"""A repository with a hubconf.py, and a server that serves it as GitHub does."""

from __future__ import annotations

import io
import threading
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

HUBCONF = """
dependencies = ["torch"]
from parts import Net

def net(pretrained=False):
    return Net(1.0 if pretrained else 0.0)

def other(pretrained=False):
    return Net(2.0)
"""
PARTS = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, level):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.head = nn.Linear(4, 2)
        for parameter in self.parameters():
            nn.init.constant_(parameter, level)

    def forward(self, image):
        return self.head(self.conv(image).mean((2, 3)))
"""
PREPROCESS = 'size = 8\nresize = "exact"\nscale = 1.0\nmean = [10.0, 20.0, 30.0]\nstd = [50.0]\n'
FILES = {"hubconf.py": HUBCONF, "parts.py": PARTS, "preprocess.toml": PREPROCESS}


@pytest.fixture
def repository(tmp_path):
    """A local folder with two entry points."""
    folder = tmp_path / "repository"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_text(content)
    return folder


@dataclass
class GitHub:
    """What the server knows of org/repo, and which paths it was asked for."""

    refs: dict[str, str]
    url: str = ""
    archives: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    cut: str = "nothing"  # answers to paths with this word break off
    stated: bool = True  # whether their length is stated, or they come in chunks

    def commit(self, commit, files):
        """Make a commit's archive, as git writes it."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as file:
            file.comment = commit.encode()
            for name, content in files.items():
                file.writestr(f"repo-{commit}/{name}", content)
        self.archives[commit] = buffer.getvalue()

    def answer(self, path):
        """Status and body."""
        if path == "/org/repo.git/info/refs?service=git-upload-pack":
            lines = ["# service=git-upload-pack\n", ""]
            lines += [
                f"{commit} {name}" + ("\0multi_ack" if i == 0 else "") + "\n"
                for i, (name, commit) in enumerate(self.refs.items())
            ]
            return 200, b"".join(
                f"{len(line) + 4:04x}{line}".encode() if line else b"0000" for line in [*lines, ""]
            )
        commit = path.removeprefix("/org/repo/archive/").removesuffix(".zip")
        if commit in self.archives:
            return 200, self.archives[commit]
        return (401 if ".git/" in path else 404), b"nothing here"


MAIN, OLD, TAG, FORK = ("1" * 40, "2" * 40, "3" * 40, "4" * 40)


@pytest.fixture
def github(monkeypatch):
    """The server; sources ``torchhub:org/repo...`` are fetched from it."""
    served = GitHub(
        {
            "HEAD": MAIN,
            "refs/heads/main": MAIN,
            "refs/heads/feature/x": OLD,
            "refs/heads/both": MAIN,
            "refs/pull/1/head": FORK,
            "refs/tags/both": OLD,
            "refs/tags/v1": "5" * 40,
            "refs/tags/v1^{}": TAG,
        }
    )
    for commit in (MAIN, OLD, TAG, FORK):
        served.commit(commit, FILES)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            served.asked.append(self.path)
            status, body = served.answer(self.path)
            whole = body
            if served.cut in self.path:
                body, self.close_connection = body[: len(body) // 2], True
            self.send_response(status)
            if served.stated:
                self.send_header("Content-Length", str(len(whole)))
                self.end_headers()
                self.wfile.write(body)
                return
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(f"{len(whole):x}\r\n".encode() + body)
            if body is whole:
                self.wfile.write(b"\r\n0\r\n\r\n")

        def log_message(self, *args):
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("ZOO_GITHUB_URL", served.url)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("NO_PROXY", "*")
    yield served
    server.shutdown()
    thread.join()
    server.server_close()
