"""Small real models and data made on the spot, and a home of its own for every test."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

# CI tries the same examples every time: a new counterexample belongs to whoever runs the tests by
# hand, not to a change that has nothing to do with it.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

# A shell starts what it runs in the background deaf to Ctrl-C, and processes inherit that: those
# that tests interrupt would not hear it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What the command line and libraries set themselves, in the tests' process too.
IN_PASSING = ("KMP_", "OMP_WAIT_POLICY", "OPENBLAS_NUM_THREADS", "TORCHINDUCTOR_CACHE_DIR")
STARTED_WITH = dict(os.environ)
PLUGINS = Path(__file__).parents[1] / "plugins"
VOCABULARY = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    *"good bad the a film was very not".split(),
]


def everywhere():
    """What every test's environment has: no network, and the very package under test.

    Processes get it installed or in place, and not the checkout's sources because they stand in the
    working folder.
    """
    import zoo

    package = str(Path(zoo.__file__).parents[1])
    return {"HF_HUB_OFFLINE": "1", "PYTHONSAFEPATH": "1", "PYTHONPATH": package}


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory, monkeypatch):
    """No test touches the user's store, the network or another test's rows."""
    # What libraries and commands set in passing in tests before this one.
    for name in os.environ.keys() | STARTED_WITH.keys():
        if name not in STARTED_WITH and not name.startswith("PYTEST_"):
            monkeypatch.delenv(name)
        elif name in STARTED_WITH and os.environ.get(name) != STARTED_WITH[name]:
            monkeypatch.setenv(name, STARTED_WITH[name])
    monkeypatch.setenv("ZOO_HOME", str(tmp_path_factory.mktemp("home")))
    for name, value in everywhere().items():
        monkeypatch.setenv(name, value)
    for name in [name for name in os.environ if name.startswith("ZOO_")]:
        if name not in ("ZOO_HOME", "ZOO_TEST_ASSETS", "ZOO_ISA"):
            monkeypatch.delenv(name)
    # What a verdict takes is many times what the tiny models of these tests take; those that are
    # about it ask for it.
    monkeypatch.setenv("ZOO_NO_VERDICT", "1")


@dataclass
class Finished:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        assert self.code == 0, self.err
        return json.loads(self.out)


class Commands:
    """Runs ``python -m zoo``, in forks of one process where its environment allows."""

    def __init__(self, folder):
        self._folder, self._server = folder, None
        self._env = _without_own({**STARTED_WITH, **everywhere()})

    def run(self, words, cwd, env, timeout):
        """The command, in a fork unless its environment differs in more than zoo's own names."""
        words = [*map(str, words)]
        # Elsewhere libraries do not outlive a fork.
        if sys.platform == "linux" and _without_own(env) == self._env:
            return self._forked(words, str(cwd), env, timeout)
        done = subprocess.run(
            [sys.executable, "-m", "zoo", *words],
            cwd=cwd,
            env=env,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=timeout,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def _forked(self, words, cwd, env, timeout):
        if self._server is None:
            server = [sys.executable, str(Path(__file__).with_name("command_server.py"))]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "bufsize": 0}
            self._server = subprocess.Popen(server, env=self._env, **pipes)
        out, err = self._folder / "out", self._folder / "err"
        request = {"words": words, "cwd": cwd, "env": env, "out": str(out), "err": str(err)}
        self._server.stdin.write(f"{json.dumps(request)}\n".encode())
        process = self._answer()
        late = not select.select([self._server.stdout], [], [], timeout)[0]
        if late:
            os.kill(process, signal.SIGKILL)
        code = self._answer()
        if late:
            raise subprocess.TimeoutExpired(words, timeout)
        return Finished(code, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))

    def _answer(self):
        line = self._server.stdout.readline()
        assert line, "the process that runs the commands has ended"
        return int(line)

    def close(self):
        if self._server is not None:
            with self._server:
                self._server.stdin.close()


def _without_own(env):
    own = ("ZOO_", "PYTEST_", *IN_PASSING)
    return {name: value for name, value in env.items() if not name.startswith(own)}


@pytest.fixture(scope="session")
def commands(tmp_path_factory):
    """Runs commands that need no process whose start is their own."""
    made = Commands(tmp_path_factory.mktemp("commands"))
    yield made
    made.close()


@pytest.fixture
def zoo(tmp_path, commands):
    """Runs ``python -m zoo`` in a folder of its own."""

    def run(*arguments, cwd=None, env=None, timeout=300):
        return commands.run(arguments, cwd or tmp_path, {**os.environ, **(env or {})}, timeout)

    return run


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory):
    """A BERT of 16 features with random weights and a word-level vocabulary, in fp16."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    folder = tmp_path_factory.mktemp("models") / "tiny-bert"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    BertTokenizer(str(folder / "vocab.txt"), model_max_length=24).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=24,
    )
    BertModel(config).half().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_vit(tmp_path_factory):
    """A ViT of 16 features with random weights, for 32-pixel images, in bf16."""
    import torch
    from transformers import ViTConfig, ViTImageProcessorPil, ViTModel

    folder = tmp_path_factory.mktemp("models") / "tiny-vit"
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=32,
        patch_size=8,
    )
    ViTModel(config).bfloat16().save_pretrained(folder)
    ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


@pytest.fixture
def photos(tmp_path):
    """24 images in two class folders: dark and light, with names that sort."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for name, level in (("dark", 60), ("light", 190)):
        folder = tmp_path / "photos" / name
        folder.mkdir(parents=True)
        for i in range(12):
            pixels = np.clip(rng.normal(level, 30, (20 + i, 24, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{i:02}.png")
    return tmp_path / "photos"


@pytest.fixture
def reviews(tmp_path):
    """A CSV of 30 short texts in two classes."""
    words = ["the film was", "a very", "not a"]
    rows = []
    for i in range(30):
        taste, label = ("good", "pos") if i % 2 else ("bad", "neg")
        rows.append(f"{words[i % 3]} {taste} film {'very ' * (i % 5)}{i},{label}")
    path = tmp_path / "reviews.csv"
    path.write_text("text,label\n" + "\n".join(rows) + "\n")
    return path


@pytest.fixture
def make_onnx(tmp_path):
    """Writes a small ONNX model of images: one convolution, ReLU, a pooled and an inner tensor."""

    def make(
        *, layout="nchw", dtype="float32", batch=None, name="model.onnx", outputs=("embedding",)
    ) -> Path:
        import onnx
        from onnx import TensorProto, helper, numpy_helper

        kind = TensorProto.FLOAT16 if dtype == "float16" else TensorProto.FLOAT
        rng = np.random.default_rng(0)
        kernel = rng.standard_normal((4, 3, 3, 3)).astype(dtype)
        shape = [batch or "n", 3, 8, 8] if layout == "nchw" else [batch or "n", 8, 8, 3]
        nodes = []
        first = "input"
        if layout == "nhwc":
            nodes.append(helper.make_node("Transpose", ["input"], ["nchw"], perm=[0, 3, 1, 2]))
            first = "nchw"
        nodes += [
            helper.make_node("Conv", [first, "kernel"], ["conv"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["conv"], ["maps"]),
            helper.make_node("GlobalAveragePool", ["maps"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["embedding"]),
        ]
        if layout == "nhwc":
            nodes.append(helper.make_node("Transpose", ["maps"], ["last"], perm=[0, 2, 3, 1]))
        graph = helper.make_graph(
            nodes,
            "tiny",
            [helper.make_tensor_value_info("input", kind, shape)],
            [helper.make_tensor_value_info(o, kind, None) for o in outputs],
            [numpy_helper.from_array(kernel, "kernel")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        path = tmp_path / name
        onnx.save(model, path)
        return path

    return make


def pip(*words):
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *words]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """Builds a plugin's wheel and installs it into an empty folder; gives that, by name."""
    sites = {}

    def install(name):
        if name not in sites:
            wheels = tmp_path_factory.mktemp("wheels")
            offline = ("--no-index", "--no-deps")
            folder = str(PLUGINS / name)
            pip("wheel", *offline, "--no-build-isolation", "--wheel-dir", str(wheels), folder)
            (wheel,) = wheels.glob("*.whl")
            sites[name] = tmp_path_factory.mktemp("site")
            pip("install", *offline, "--target", str(sites[name]), str(wheel))
        return sites[name]

    return install


@pytest.fixture
def registry_of(installed, monkeypatch):
    """A registry that finds a plugin by its entry point, by the plugin's name."""
    from zoo.registry import Registry

    warnings = []

    def make(name):
        monkeypatch.syspath_prepend(str(installed(name)))
        return Registry(warnings.append, disabled=frozenset())

    yield make
    assert warnings == []


@pytest.fixture
def environment_of(installed):
    """What a process needs to find a plugin, by the plugin's name."""

    def make(name):
        paths = [str(installed(name)), os.environ.get("PYTHONPATH", "")]
        return {"PYTHONPATH": os.pathsep.join(filter(None, paths))}

    return make
