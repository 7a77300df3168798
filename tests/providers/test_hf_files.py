"""The Hub's wire protocol, with a local server: what is fetched, resumed, refused and kept."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import pytest

SOURCE = 3
FIRST, SECOND = "a" * 40, "b" * 40
API = re.compile(r"/api/models/(org/[^/]+)/(revision|tree)/(.+)")
FILE = re.compile(r"/(org/[^/]+)/resolve/([^/]+)/(.+)")


@dataclass
class Hub:
    """Repositories as commit -> files, branches, and what goes wrong with them."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    status: dict[str, tuple[int, str]] = field(default_factory=dict)  # by repository or file
    broken: dict[str, bytes] = field(default_factory=dict)  # sent in place of the true content
    breaks: dict[str, int] = field(default_factory=dict)  # close after so many bytes, once each
    ranges: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, path):
        """Status, headers and body of a request."""
        if found := API.fullmatch(path):
            repository, kind, revision = found.groups()
            if repository in self.status:
                return self._refusal(repository)
            if repository != "org/name":
                return 404, {"X-Error-Code": "RepoNotFound"}, b"{}"
            commit = self.branches.get(revision, revision)
            if commit not in self.commits:
                return 404, {"X-Error-Code": "RevisionNotFound"}, b"{}"
            tree = [self._entry(name, content) for name, content in self.commits[commit].items()]
            siblings = [{"rfilename": entry["path"]} for entry in tree]
            info = {"id": repository, "modelId": repository, "sha": commit, "siblings": siblings}
            return 200, {}, json.dumps(info if kind == "revision" else tree).encode()
        found = FILE.fullmatch(path)
        if found is None:  # what a client may ask besides
            return 404, {}, b"{}"
        commit, name = found.group(2, 3)
        if name in self.status:
            return self._refusal(name)
        content = self.commits[self.branches.get(commit, commit)][name]
        entry = self._entry(name, content)
        headers = {"X-Repo-Commit": commit, "Accept-Ranges": "bytes", "ETag": f'"{entry["oid"]}"'}
        if "lfs" in entry:
            headers["X-Linked-ETag"] = f'"{entry["lfs"]["oid"]}"'
            headers["X-Linked-Size"] = str(len(content))
        return 200, headers, self.broken.get(name, content)

    def _refusal(self, name):
        status, code = self.status[name]
        return status, {"X-Error-Code": code} if code else {}, b"{}"

    @staticmethod
    def _entry(name, content):
        oid = hashlib.sha1(content).hexdigest()
        entry = {"type": "file", "path": name, "oid": oid, "size": len(content)}
        if name.endswith(".safetensors"):
            sha = hashlib.sha256(content).hexdigest()
            entry["lfs"] = {"oid": sha, "size": len(content), "pointerSize": 130}
        return entry


def files(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}


@pytest.fixture
def hub(tiny_bert):
    """A server with org/name: two commits of a small BERT, `main` at the first."""
    served = Hub({FIRST: files(tiny_bert)}, {"main": FIRST, "v2": SECOND})
    changed = {**served.commits[FIRST], "sentence_bert_config.json": b'{"max_seq_length": 5}'}
    served.commits[SECOND] = changed

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            path = unquote(urlsplit(self.path).path)
            served.asked.append(f"{self.command} {path}")
            status, headers, body = served.answer(path)
            start = 0
            if status == 200 and (wanted := self.headers.get("Range")):
                start = int(wanted.removeprefix("bytes=").partition("-")[0])
                served.ranges.append(wanted)
                status = 206
                headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            if self.command == "HEAD":
                return
            cut = served.breaks.pop(path.rpartition("/")[2], None)
            self.wfile.write(body[start:cut])
            self.close_connection = cut is not None

        do_HEAD = do_GET

        def log_message(self, *args):
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_port}"
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def run(zoo, hub, tmp_path):
    """Runs zoo with the server as the Hub and an empty cache of its own."""

    def call(*arguments, **changes):
        env = {
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path / "hf"),
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
            "NO_PROXY": "*",
            **changes,
        }
        return zoo(*arguments, env=env)

    return call


def described(done):
    return done.json["contract"]


def failed(done, named, hint):
    """One line that names what, one that says what to do, and the exit code of sources."""
    assert done.code == SOURCE, done.err
    message, told = done.err.strip().splitlines()
    assert named in message
    assert hint in told


def test_a_branch_is_pinned_to_its_commit_and_files_come_once(run, hub):
    first = described(run("models", "hf:org/name", "--json"))
    assert first["revision"] == FIRST
    hub.asked.clear()
    assert described(run("models", "hf:org/name", "--json")) == first
    assert not [line for line in hub.asked if "resolve" in line]
    second = described(run("models", "hf:org/name@v2", "--json"))
    assert second["revision"] == SECOND
    assert second["preprocess"]["max_length"] == 5
    assert len([line for line in hub.asked if line.startswith("GET /org")]) == 1  # what changed


def test_a_run_keeps_to_its_commit_when_the_branch_moves(run, hub, reviews, tmp_path):
    command = ("transfer", "--model", "hf:org/name", "--data", reviews, "--json")
    told = run(*command).json
    assert told["model"]["revision"] == FIRST
    record = json.loads((tmp_path / told["run"] / "run.json").read_text())
    assert record["contract"]["revision"] == FIRST
    hub.branches["main"] = SECOND
    predicted = run("predict", told["run"], reviews, "--json")
    assert predicted.json["forwards"] == 0
    assert run(*command).json["model"]["revision"] == SECOND


def test_sharded_weights_are_fetched_by_their_index(run, hub, tiny_bert, reviews, tmp_path):
    import torch
    from transformers import AutoModel

    model = AutoModel.from_pretrained(tiny_bert, dtype=torch.float16)
    model.save_pretrained(tmp_path / "sharded", max_shard_size="4KB")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tiny_bert / name, tmp_path / "sharded" / name)
    hub.commits[FIRST] = files(tmp_path / "sharded")
    assert "model.safetensors" not in hub.commits[FIRST]
    command = ("extract", "--data", reviews, "--export")
    sharded, whole = tmp_path / "sharded.npz", tmp_path / "whole.npz"
    assert run(*command, sharded, "--model", "hf:org/name").code == 0
    assert run(*command, whole, "--model", f"hf:{tiny_bert}").code == 0
    import numpy as np

    with np.load(sharded) as one, np.load(whole) as other:
        np.testing.assert_array_equal(one["features"], other["features"])
    lost = next(
        name for name in hub.commits[FIRST] if name.endswith("2.safetensors") or "-of-" in name
    )
    hub.commits[SECOND] = {k: v for k, v in hub.commits[FIRST].items() if k != lost}
    failed(run("models", "hf:org/name@v2"), "is missing", "")


def test_a_broken_download_is_resumed(run, hub, tmp_path):
    chunk = 10 << 20  # what the Hub's client writes at a time
    hub.commits[FIRST]["model-more.safetensors"] = bytes(range(256)) * (chunk // 256) + b"more"
    hub.breaks["model-more.safetensors"] = chunk
    assert described(run("models", "hf:org/name", "--json"))["revision"] == FIRST
    assert hub.ranges == [f"bytes={chunk}-"]
    (got,) = tmp_path.rglob("model-more.safetensors")
    assert got.read_bytes() == hub.commits[FIRST]["model-more.safetensors"]


def test_after_a_failed_download_only_what_is_missing_is_fetched(run, hub):
    hub.status["model.safetensors"] = (404, "EntryNotFound")
    failed(run("models", "hf:org/name"), "org/name", "")
    hub.status.clear()
    hub.asked.clear()
    assert run("models", "hf:org/name").code == 0
    fetched = [line for line in hub.asked if line.startswith("GET /org")]
    assert [line.rpartition("/")[2] for line in fetched] == ["model.safetensors"]


@pytest.mark.parametrize(
    ("about", "answer", "named", "hint"),
    [
        ("org/name", (403, "GatedRepo"), "'org/name' is gated", "HF_TOKEN"),
        ("org/name", (401, "GatedRepo"), "'org/name' is gated", "HF_TOKEN"),
        ("org/name", (401, "RepoNotFound"), "no model 'org/name'", "HF_TOKEN"),
        ("org/name", (401, ""), "refuses access to 'org/name' (401)", "HF_TOKEN"),
        ("org/name", (403, ""), "refuses access to 'org/name' (403)", "HF_TOKEN"),
        ("org/name", (404, "RepoNotFound"), "no model 'org/name'", "check the name"),
        ("org/name", (500, ""), "the Hub answers 500", "network"),
        ("config.json", (403, "GatedRepo"), "'org/name' is gated", "HF_TOKEN"),
        ("config.json", (404, "EntryNotFound"), "config.json", "run again"),
        ("config.json", (403, ""), "refuses access to 'org/name' (403)", "HF_TOKEN"),
    ],
)
def test_what_the_hub_refuses_is_one_clear_error(run, hub, about, answer, named, hint):
    hub.status[about] = answer
    failed(run("models", "hf:org/name"), named, hint)


@pytest.mark.parametrize(
    ("source", "named", "hint"),
    [
        ("hf:org/none", "no model 'org/none'", "check the name"),
        ("hf:org/name@v3", "'org/name' has no revision 'v3'", "branch"),
        (f"hf:org/name@{'c' * 40}", "c" * 40, ""),
        ("hf:a/b/c", "not a Hub name", "hf:org/name"),
    ],
)
def test_what_is_not_on_the_hub_says_so(run, source, named, hint):
    failed(run("models", source), named, hint)


def test_a_repository_without_a_configuration_says_so(run, hub):
    del hub.commits[FIRST]["config.json"]
    failed(run("models", "hf:org/name"), "no config.json", "onnx:")


def test_a_file_of_another_size_is_refused(run, hub):
    hub.broken["model.safetensors"] = b"x" * 1000
    failed(run("models", "hf:org/name"), "has size 1000", "run again")


def test_weights_that_are_not_what_the_hub_stated_are_refused(run, hub, reviews):
    content = hub.commits[FIRST]["model.safetensors"]
    hub.broken["model.safetensors"] = content[:-1] + bytes([content[-1] ^ 1])
    done = run("extract", "--model", "hf:org/name", "--data", reviews)
    failed(done, "not the file that the Hub stated", "remove '")


def test_an_answer_that_is_no_answer_of_the_hubs_says_so(run, hub, monkeypatch):
    monkeypatch.setattr(hub, "answer", lambda path: (200, {}, b"<html>welcome</html>"))
    failed(run("models", "hf:org/name"), "could not be downloaded", "")


def test_a_file_whose_name_leaves_the_folder_is_refused(run, hub, tmp_path):
    hub.commits[FIRST]["../../../evil.json"] = b"{}"
    failed(run("models", "hf:org/name"), "evil.json", "")
    assert not list(tmp_path.rglob("evil.json"))


def test_a_hub_that_is_gone_is_an_error_without_a_cache_and_none_with_one(run):
    gone = "http://127.0.0.1:9"
    failed(run("models", "hf:org/name", HF_ENDPOINT=gone), "cannot be reached", "network")
    assert run("models", "hf:org/name").code == 0
    there = described(run("models", "hf:org/name", "--json", HF_ENDPOINT=gone))
    assert there["revision"] == FIRST
    failed(run("models", "hf:org/name@v2", HF_ENDPOINT=gone), "org/name@v2", "network")


def test_a_cache_that_holds_a_part_says_so_offline(run, hub):
    hub.status["model.safetensors"] = (404, "EntryNotFound")
    assert run("models", "hf:org/name").code == SOURCE
    failed(run("models", "hf:org/name", "--offline"), "not whole in the", "without --offline")


BLOCK = """
import sys

def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.bind"):
        print("SOCKET", event, arguments, file=sys.stderr)
        raise RuntimeError("a socket")

sys.addaudithook(refuse)
from zoo.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("flags", "variable"), [(["--offline"], "0"), ([], "1")], ids=["flag", "variable"]
)
def test_offline_opens_no_socket_from_description_to_features(
    run, hub, reviews, tmp_path, flags, variable
):
    import os
    import subprocess
    import sys

    assert run("models", "hf:org/name").code == 0
    hub.asked.clear()
    env = {
        **os.environ,
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_OFFLINE": variable,
    }

    def blocked(source):
        command = ["transfer", "--model", source, "--data", str(reviews), *flags]
        return subprocess.run(
            [sys.executable, "-c", BLOCK, *command],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )

    done = blocked("hf:org/name")
    assert done.returncode == 0, done.stderr
    absent = blocked("hf:org/other")
    assert absent.returncode == SOURCE
    assert "not in the Hub's local cache" in absent.stderr
    assert "SOCKET" not in done.stderr + absent.stderr
    assert hub.asked == []


def test_the_block_of_sockets_would_see_one(run, hub, tmp_path):
    import os
    import subprocess
    import sys

    env = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path)}
    command = [sys.executable, "-c", BLOCK, "models", "hf:org/name"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert "SOCKET" in done.stderr
