"""Poisoned models: what leads elsewhere is refused, what decides nothing dropped; nothing runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from zoo.errors import SourceError, TrustError
from zoo.plugin import LoadOptions, Source
from zoo.providers.hf import HuggingFaceProvider
from zoo.providers.hf_trust import names_code, sanitised

KERNEL_KEYS = [
    "attn_implementation",
    "_attn_implementation",
    "_attn_implementation_internal",
    "experts_implementation",
    "_experts_implementation",
]


@pytest.mark.parametrize("key", KERNEL_KEYS)
@pytest.mark.parametrize(
    "value",
    ["evil/kernel", "evil/kernel@main:fast", "paged|evil/kernel", {"": "sdpa", "text": "evil/k"}],
)
@pytest.mark.parametrize("place", [(), ("text_config",), ("a", "vision_config")])
def test_a_kernel_of_another_repository_is_refused_wherever_it_is_named(key, value, place):
    config = {key: value}
    for name in reversed(place):
        config = {name: [config, {}] if name == "a" else config}
    with pytest.raises(TrustError, match="kernel from another repository"):
        sanitised({"model_type": "bert", **config}, "org/name")


def test_what_could_name_code_is_dropped_at_every_depth_and_all_else_stays():
    inner = {
        "hidden_size": 3,
        "layers": [1, {"auto_map": {}, "kept": None}],
        "auto_map": {"x": "y.Z"},
    }
    config = {"model_type": "m", "attn_implementation": "sdpa", "text_config": inner, "x": [[2]]}
    want = {
        "model_type": "m",
        "text_config": {"hidden_size": 3, "layers": [1, {"kept": None}]},
        "x": [[2]],
    }
    assert sanitised(config, "org/name") == want


@pytest.mark.parametrize(
    ("name", "error"), [("../w.safetensors", TrustError), ("other.safetensors", SourceError)]
)
def test_weights_of_another_name_are_refused(name, error):
    with pytest.raises(error, match="weights"):
        sanitised({"transformers_weights": name}, "org/name")


def test_code_that_is_named_is_told_by_class():
    named = {"auto_map": {"AutoModel": "evil.Model", "AutoTokenizer": None}}
    assert names_code(named)
    assert names_code(named, "AutoModel")
    assert not names_code(named, "AutoTokenizer")
    assert names_code({"auto_map": ["evil.Tokenizer", None]}, "AutoTokenizer")
    assert not names_code({})
    assert not names_code(None)


def poison(folder, name, **changes):
    """Change a JSON file of a model, beside a Python file that must not run."""
    path = folder / name
    before = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps({**before, **changes}))
    (folder / "evil.py").write_text("open('executed', 'w')\nclass Evil: pass\n")


def kernel(folder):
    poison(folder, "config.json", _attn_implementation="evil/kernel")


def nested_kernel(folder):
    poison(folder, "config.json", text_config={"attn_implementation": "evil/kernel"})


def model_code(folder):
    poison(folder, "config.json", model_type="mystery", auto_map={"AutoModel": "evil.Evil"})


def remote_code(folder):
    poison(
        folder, "config.json", model_type="mystery", auto_map={"AutoModel": "evil/repo--evil.Evil"}
    )


def tokenizer_code(folder):
    changes = {"tokenizer_class": "Evil", "auto_map": {"AutoTokenizer": ["evil.Evil", "evil.Evil"]}}
    poison(folder, "tokenizer_config.json", **changes)


def processor_code(folder):
    changes = {"image_processor_type": "Evil", "auto_map": {"AutoImageProcessor": "evil.Evil"}}
    poison(folder, "preprocessor_config.json", **changes)


def outside_index(folder):
    (folder / "model.safetensors").rename(folder.parent / "w.safetensors")
    weights = {"weight_map": {"x": "../w.safetensors"}}
    poison(folder, "model.safetensors.index.json", **weights)


def outside_weights(folder):
    poison(folder, "config.json", transformers_weights="../w.safetensors")


def outside_tokenizer(folder):
    poison(folder, "tokenizer_config.json", fast_tokenizer_files=["../tokenizer.9.json"])


REFUSED = [
    kernel,
    nested_kernel,
    model_code,
    remote_code,
    tokenizer_code,
    processor_code,
    outside_index,
    outside_weights,
    outside_tokenizer,
]

# Says what a process did that would have run, fetched or asked for something.
WATCH = """
import sys, torch, transformers
from pathlib import Path
from transformers import AutoModel, AutoTokenizer, BertModel, BertTokenizer, CONFIG_MAPPING
from zoo.cli import main
import zoo.providers.hf, zoo.features, zoo.runs, zoo.cli.extract

folder = str(Path(sys.argv[1]).resolve())
spawning = ("subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "pty.spawn")
told = sys.stderr

def watch(event, arguments):
    seen = False
    if event == "exec":
        seen = arguments[0].co_filename.startswith(folder)
    elif event == "compile":
        seen = folder in str(arguments[1])
    elif event in ("import", "open"):
        path = str(arguments[0] if event == "open" else arguments[1])
        seen = path.endswith((".py", ".pyc", ".so")) and (folder in path or "evil" in path)
    elif event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.bind"):
        seen = True
    elif event == "builtins.input" or event.startswith(spawning):
        seen = True
    if seen:
        print("SEEN", event, arguments, file=told)

sys.addaudithook(watch)
sys.exit(main(["extract", "--model", "hf:" + sys.argv[1], "--data", sys.argv[2]]))
"""


def watched(folder, data):
    return subprocess.run(
        [sys.executable, "-c", WATCH, str(folder), str(data)],
        cwd=folder.parent,
        env={**os.environ, "HF_HUB_OFFLINE": "0"},
        input="y\ny\ny\n",
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("poisoned", REFUSED, ids=lambda f: f.__name__)
def test_a_poisoned_model_is_refused_and_nothing_of_it_runs(tiny_bert, reviews, tmp_path, poisoned):
    folder = tmp_path / "model"
    shutil.copytree(tiny_bert, folder)
    poisoned(folder)
    done = watched(folder, reviews)
    assert done.returncode == 6, done.stderr
    message, hint = done.stderr.strip().splitlines()  # and so nothing SEEN
    assert message.startswith("zoo: ")
    assert hint.startswith("hint: ")
    assert not (tmp_path / "executed").exists()


def test_the_watch_sees_what_it_should(tiny_bert, reviews, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(tiny_bert, folder)
    poison(folder, "config.json")
    naive = WATCH.replace(
        'sys.exit(main(["extract"',
        "sys.path.insert(0, folder); import evil, socket, subprocess\n"
        'subprocess.run([sys.executable, "-c", ""])\n'
        'socket.getaddrinfo("localhost", 9)\n'
        'sys.exit(main(["extract"',
    )
    done = subprocess.run(
        [sys.executable, "-c", naive, str(folder), str(reviews)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = {line.split()[1] for line in done.stderr.splitlines() if line.startswith("SEEN")}
    assert {"exec", "open", "subprocess.Popen", "socket.getaddrinfo"} <= seen
    assert (tmp_path / "executed").exists()


def test_code_that_is_named_and_not_needed_is_left_alone(tiny_bert, reviews, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(tiny_bert, folder)
    named = {
        "AutoModel": "evil.Evil",
        "AutoConfig": "evil.Evil",
        "AutoTokenizer": ["evil.Evil", None],
    }
    poison(folder, "config.json", auto_map=named, attn_implementation="flash_attention_2")
    poison(folder, "tokenizer_config.json", auto_map=named)
    done = watched(folder, reviews)
    assert done.returncode == 0, done.stderr
    assert "SEEN" not in done.stderr
    assert not (tmp_path / "executed").exists()
    contracts = [
        HuggingFaceProvider().describe(Source.parse(f"hf:{where}"), LoadOptions())
        for where in (folder, tiny_bert)
    ]
    assert contracts[0].model == contracts[1].model


def test_an_adapter_beside_the_weights_is_refused(tiny_bert, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(tiny_bert, folder)
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "evil/base"}')
    with pytest.raises(SourceError, match="holds an adapter"):
        HuggingFaceProvider().describe(Source.parse(f"hf:{folder}"), LoadOptions())


@pytest.mark.parametrize(
    "changes",
    [{"hidden_size": "x"}, {"quantization_config": {"quant_method": "gptq"}}, {"dtype": "evil"}],
)
def test_a_configuration_that_makes_no_sense_is_one_clear_error(tiny_bert, tmp_path, changes):
    folder = tmp_path / "model"
    shutil.copytree(tiny_bert, folder)
    poison(folder, "config.json", **changes)
    with pytest.raises(SourceError) as caught:
        HuggingFaceProvider().load(Source.parse(f"hf:{folder}"), LoadOptions())
    assert "\n" not in str(caught.value)
