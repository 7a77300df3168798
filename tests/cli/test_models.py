"""``zoo models``: searches that find, and sources that are described without their weights."""

from __future__ import annotations

import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest


@pytest.fixture
def hub():
    """A Hub that knows one model, on a port of this machine; what it was asked is kept."""
    asked = []

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path.startswith("/api/models"):
                asked.append(self.path)
            model = {
                "id": "org/mobile-thing",
                "downloads": 12345,
                "pipeline_tag": "image-classification",
                "tags": ["safetensors", "license:mit"],
            }
            known = self.path.startswith("/api/models")  # the client asks for more than we do
            body = json.dumps([model] if known else {}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_bare_models_lists_providers_and_what_is_at_hand(zoo, tmp_path, tiny_vit, make_onnx):
    shutil.copytree(tiny_vit, tmp_path / "nets" / "vit")
    make_onnx()
    got = zoo("models", "--json").json
    assert set(got["providers"]) >= {"hf", "onnx", "builtin"}
    sources = {model["source"] for model in got["models"]}
    assert sources >= {"hf:./nets/vit", "onnx:./model.onnx", "builtin:tinyconv"}
    assert all(model["local"] for model in got["models"])
    assert "hf:./nets/vit" in zoo("models").out


def test_a_search_matches_every_word_and_a_provider_can_be_asked_alone(zoo, tmp_path, tiny_vit):
    for name in ("blue-vit", "red-vit", ".hidden-vit"):
        shutil.copytree(tiny_vit, tmp_path / name)

    def sources(*arguments):
        return [m["source"] for m in zoo("models", *arguments, "--json").json["models"]]

    assert sources("vit") == ["hf:./blue-vit", "hf:./red-vit"]
    assert sources("VIT blue") == ["hf:./blue-vit"]
    assert sources("builtin:") == ["builtin:formulanet", "builtin:tinyconv"]
    assert sources("tinyconv") == ["builtin:tinyconv"]
    done = zoo("models", "nothing-like-it")
    assert (done.code, done.out) == (0, "")
    assert "nothing found for 'nothing-like-it'" in done.err


def test_the_hubs_cache_is_searched_without_a_network(zoo, tmp_path, tiny_vit):
    snapshot = tmp_path / "cache" / "models--org--cached-vit" / "snapshots" / "abc"
    shutil.copytree(tiny_vit, snapshot)
    (tmp_path / "cache" / "models--org--empty" / "snapshots" / "abc").mkdir(parents=True)
    env = {"HF_HUB_CACHE": str(tmp_path / "cache")}
    got = zoo("models", "org/", "cached", env=env)
    assert got.code == 2  # words are one argument
    (found,) = zoo("models", "cached", "--offline", "--json", env=env).json["models"]
    assert (found["source"], found["local"]) == ("hf:org/cached-vit", True)


def test_the_hub_is_asked_unless_offline(zoo, hub, tmp_path):
    address, asked = hub
    # The Hub's client keeps what it learned of an endpoint: in this test's own folder.
    env = {"HF_ENDPOINT": address, "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path)}
    assert zoo("models", "mobile", "--offline", "--json", env=env).json["models"] == []
    assert asked == []
    (found,) = zoo("models", "mobile", "--json", env=env).json["models"]
    assert (found["source"], found["licence"], found["local"]) == (
        "hf:org/mobile-thing",
        "mit",
        False,
    )
    assert "12,345 downloads" in found["summary"]
    assert "search=mobile" in asked[0]
    assert zoo("models", "--json", env=env).json["models"]  # the overview asks nobody
    assert len(asked) == 1


def test_a_hub_that_does_not_answer_leaves_what_is_local(zoo, tmp_path):
    env = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path)}
    done = zoo("models", "tiny", "--json", env=env)
    assert done.json["models"][0]["source"] == "builtin:tinyconv"
    assert done.json["failed"][0].startswith("hf: the Hub does not answer")
    assert "warning: hf:" in done.err


def test_a_source_is_described_with_size_licence_and_layers(zoo, tmp_path, tiny_vit):
    shutil.copytree(tiny_vit, tmp_path / "vit")
    (tmp_path / "vit" / "README.md").write_text("---\nlicense: cc-by-4.0\n---\n# A model\n")
    got = zoo("models", "hf:./vit", "--json").json
    assert got["contract"]["preprocess"]["size"] == [32, 32]
    facts = got["facts"]
    assert (facts["dim"], facts["licence"]) == (16, "cc-by-4.0")
    assert facts["parameters"] > 1000
    assert facts["taps"]["last_hidden_state"] == [17, 16]  # 16 patches and the class token
    assert facts["taps"]["embeddings.patch_embeddings.projection"] == [16, 4, 4]
    shown = zoo("models", "hf:./vit").out
    assert "licence   cc-by-4.0" in shown
    assert "17 x 16   (in use)" in shown


def test_an_onnx_graph_names_its_tensors(zoo, make_onnx):
    path = make_onnx()
    stated = "size=8,resize=exact,mean=0,std=1"
    source = f"onnx:{path}#maps/mean"
    facts = zoo("models", source, "--preprocess", stated, "--json").json["facts"]
    assert facts["dim"] == 4
    assert facts["taps"] == {
        "embedding": [4],
        "conv": [4, 8, 8],
        "maps": [4, 8, 8],
        "pooled": [4, 1, 1],
    }
    assert facts["parameters"] == 4 * 3 * 3 * 3


def test_a_provider_that_is_not_there_is_named(zoo):
    done = zoo("models", "hff:org/name")
    assert done.code == 3
    assert "hff" in done.err
