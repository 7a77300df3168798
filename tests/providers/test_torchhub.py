"""torchhub: models run only when trusted, and give what their module gives on stated pixels."""

from __future__ import annotations

import logging
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from zoo.backbones.pooling import pool
from zoo.errors import SourceError, TrustError, UsageError
from zoo.plugin import LoadOptions, Source
from zoo.providers.torchhub import TorchHubProvider

MAIN, OLD = "1" * 40, "2" * 40


def options(**changes):
    return LoadOptions(**{"trust_repo": True, **changes})


def describe(text, **changes):
    return TorchHubProvider().describe(Source.parse(f"torchhub:{text}"), options(**changes))


def load(text, **changes):
    return TorchHubProvider().load(Source.parse(f"torchhub:{text}"), options(**changes))


def pictures(count=3):
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (12, 9, 3), dtype=np.uint8)) for _ in range(count)]


def rows(text, **changes):
    backbone = load(text, **changes)
    contract = backbone.contract
    out = backbone.forward(backbone.collate([backbone.prepare(p) for p in pictures()]))
    values, mask = out[contract.tap].numpy()
    return pool(values, mask, pooling=contract.pooling, layout=contract.layout, tap=contract.tap)


@pytest.fixture
def weights(tmp_path):
    """A state dict of the repository's module with weights that are not constant."""
    torch.manual_seed(3)
    state = {
        "module.conv.weight": torch.randn(4, 3, 3, 3),
        "module.conv.bias": torch.randn(4),
        "module.head.weight": torch.randn(2, 4),
        "module.head.bias": torch.randn(2),
    }
    torch.save({"state_dict": state, "epoch": 7}, tmp_path / "w.th")
    return tmp_path / "w.th"


def reference(weights):
    """What the convolution gives, averaged: the last Linear's input."""
    state = torch.load(weights, weights_only=True)["state_dict"]
    pixels = []
    for picture in pictures():
        small = np.asarray(picture.resize((8, 8), Image.Resampling.BILINEAR)).astype(np.float32)
        pixels.append(((small - np.float32([10, 20, 30])) / np.float32(50)).transpose(2, 0, 1))
    x = torch.from_numpy(np.stack(pixels))
    maps = torch.conv2d(x, state["module.conv.weight"], state["module.conv.bias"])
    return maps.mean((2, 3)).numpy()


def test_the_default_tap_is_the_last_linears_input(repository, weights):
    got = rows(f"{repository}/net?weights={weights}")
    np.testing.assert_allclose(got, reference(weights), rtol=1e-4, atol=1e-5)


def test_other_taps_are_named(repository, weights):
    text = f"{repository}/net?weights={weights}"
    assert rows(f"{text}#output").shape == (3, 2)
    np.testing.assert_allclose(rows(f"{text}#conv/mean"), reference(weights), rtol=1e-4, atol=1e-5)
    with pytest.raises(SourceError, match="no tap 'nothing'"):
        rows(f"{text}#nothing")


def test_without_trust_nothing_runs_and_what_would_is_named(repository):
    (repository / "hubconf.py").write_text("raise SystemExit('executed')")
    for call in (describe, load):
        with pytest.raises(
            TrustError, match=r"net\(\) of .*hubconf\.py', among 2 Python"
        ) as caught:
            call(f"{repository}/net", trust_repo=False)
        assert "--trust-repo" in caught.value.hint


def test_trust_is_asked_for_a_commit_before_anything_is_downloaded(github):
    with pytest.raises(TrustError, match=f"of org/repo at commit {MAIN}") as caught:
        describe("org/repo:main/net#output", trust_repo=False)
    assert f"torchhub:org/repo:{MAIN}/net#output" in caught.value.hint
    assert not [path for path in github.asked if "archive" in path]


def test_the_commit_is_pinned_and_a_branch_that_moves_is_another_model(github):
    before = describe("org/repo:main/net")
    assert before.revision == MAIN
    github.refs["refs/heads/main"] = OLD
    after = describe("org/repo:main/net")
    assert after.revision == OLD
    assert after.digest() != before.digest()
    assert describe(f"org/repo:main/net@{MAIN}").digest() == before.digest()


def test_a_run_keeps_to_its_commit_when_the_branch_moves(github, zoo, photos, tmp_path):
    import json

    model = ("--model", "torchhub:org/repo:main/net", "--data", photos)
    done = zoo("transfer", *model)
    assert done.code == 6
    assert MAIN in done.err
    told = zoo("transfer", *model, "--trust-repo", "--json").json
    assert told["model"]["revision"] == MAIN
    record = json.loads((tmp_path / told["run"] / "run.json").read_text())
    assert record["contract"]["revision"] == MAIN
    github.refs["refs/heads/main"] = OLD
    github.asked.clear()
    done = zoo("predict", told["run"], photos, "--trust-repo", "--json")
    assert done.json["forwards"] == 0
    assert github.asked == []
    assert zoo("predict", told["run"], photos).code == 6


def test_code_weights_and_entry_point_decide_the_key(repository, weights, tmp_path):
    def key(text):
        contract = describe(text)
        return contract.weights, contract.digest()

    text = f"{repository}/net?weights={weights}"
    base = key(text)
    shutil.copytree(repository, tmp_path / "moved")
    assert key(f"{tmp_path / 'moved'}/net?weights={weights}") == base
    assert key(f"{repository}/other?weights={weights}")[1] != base[1]
    shutil.copy(weights, tmp_path / "same.th")
    assert key(f"{repository}/net?weights={tmp_path / 'same.th'}") == base
    state = torch.load(weights, weights_only=True)
    state["state_dict"]["module.head.bias"] += 1
    torch.save(state, tmp_path / "changed.th")
    assert key(f"{repository}/net?weights={tmp_path / 'changed.th'}")[0] != base[0]
    (repository / "parts.py").write_text((repository / "parts.py").read_text() + "# changed\n")
    assert key(text)[1] != base[1]


def test_an_entry_points_own_weights_are_known_by_their_values(repository, monkeypatch):
    own, other = describe(f"{repository}/net"), describe(f"{repository}/other")
    assert own.weights != other.weights
    monkeypatch.setattr("zoo.providers.torchhub_entry.build", None)  # remembered: not run again
    assert describe(f"{repository}/net").weights == own.weights
    assert "note" not in own.info


def test_own_weights_that_changed_are_not_taken_for_the_old_ones(repository, tmp_path):
    torch.save(torch.ones(()), tmp_path / "level.pt")
    (repository / "hubconf.py").write_text(
        "import torch\nfrom parts import Net\n"
        f"def net(pretrained=False):\n    return Net(float(torch.load({str(tmp_path)!r} "
        "+ '/level.pt')))\n"
    )
    before = describe(f"{repository}/net").weights
    torch.save(torch.zeros(()), tmp_path / "level.pt")
    with pytest.raises(SourceError, match="other weights than before"):
        load(f"{repository}/net")
    assert describe(f"{repository}/net").weights != before
    assert load(f"{repository}/net").parameters == 4 * 27 + 4 + 10


def test_random_weights_are_told_and_yet_the_same_every_time(repository, caplog):
    text = (repository / "parts.py").read_text()
    (repository / "parts.py").write_text(
        text.replace("nn.init.constant_(parameter, level)", "pass")
    )
    with caplog.at_level(logging.WARNING):
        assert describe(f"{repository}/net").info["note"].startswith("random weights")
    assert "are random" in caplog.text
    np.testing.assert_array_equal(rows(f"{repository}/net"), rows(f"{repository}/net"))


def test_weights_may_lie_in_the_repository_and_not_outside_it(repository, weights, tmp_path):
    shutil.copy(weights, repository / "own.th")
    assert describe(f"{repository}/net?weights=own.th").info["weights"] == "own.th"
    (tmp_path / "outside.th").write_bytes(b"")
    (repository / "link.th").symlink_to(tmp_path / "outside.th")
    for name in ("../outside.th", "link.th"):
        with pytest.raises(TrustError, match="out of the repository"):
            describe(f"{repository}/net?weights={name}")
    with pytest.raises(SourceError, match=r"no weights file 'none\.th'"):
        describe(f"{repository}/net?weights=none.th")


def test_without_stated_preprocessing_it_stops_and_says_what_is_missing(repository, weights):
    (repository / "preprocess.toml").unlink()
    text = f"{repository}/net?weights={weights}"
    with pytest.raises(SourceError, match="size, resize, mean, std"):
        describe(text)
    stated = {"size": 8, "resize": "exact", "scale": 1.0, "mean": [10, 20, 30], "std": [50]}
    np.testing.assert_allclose(
        rows(text, preprocess=stated), reference(weights), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [("layout", "nhwc", SourceError), ("input", "text", UsageError)],
)
def test_what_a_torch_module_on_images_does_not_take_is_refused(repository, key, value, error):
    with pytest.raises((error, SourceError)):
        describe(f"{repository}/net", preprocess={key: value})


def test_weights_that_do_not_fit_are_refused(repository, tmp_path):
    torch.save({"conv.weight": torch.zeros(4, 3, 3, 3)}, tmp_path / "w.pt")
    with pytest.raises(SourceError, match="3 missing"):
        load(f"{repository}/net?weights={tmp_path / 'w.pt'}")


def test_describing_weights_that_are_named_imports_no_torch(repository, weights, tmp_path):
    import subprocess
    import sys

    code = (
        "import sys; from zoo.providers.torchhub import TorchHubProvider as P;"
        "from zoo.plugin import LoadOptions, Source;"
        f"P().describe(Source.parse('torchhub:{repository}/net?weights={weights}'),"
        " LoadOptions(trust_repo=True)); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


def test_bfloat16_is_near_but_not_equal(repository, weights):
    text = f"{repository}/net?weights={weights}"
    exact, rough = rows(text), rows(text, dtype="bfloat16")
    assert not np.array_equal(exact, rough)
    np.testing.assert_allclose(rough, exact, rtol=0.1, atol=0.1)
