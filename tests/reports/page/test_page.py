"""The report's file: its parts with the right numbers, what is absent, its policy and its size."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from zoo.errors import DataError, UsageError
from zoo.reports import write_report

VOID = {"meta", "img", "br", "link", "input"}


class Tree(HTMLParser):
    """Checks that elements nest, and keeps ids, texts and tags."""

    def __init__(self, html):
        super().__init__()
        self.open, self.ids, self.tags, self.texts, self.attributes = [], [], [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.texts.append(data)


def read(report):
    return report.path.read_text(encoding="utf-8").replace("\u00a0", " ")


def section(html, name):
    return re.search(rf'<section id="{name}".*?</section>', html, re.DOTALL)[0]


def table_rows(html, figure):
    part = re.search(rf'<figure id="figure-{figure}".*?</figure>', html, re.DOTALL)[0]
    rows = re.findall(r"<tr>(.*?)</tr>", part.split("<details>")[1], re.DOTALL)
    return [re.findall(r"<bdi>(.*?)</bdi>", row) for row in rows]


def test_a_rich_run_has_every_part_and_nothing_absent(class_run, rich, computed, tmp_path):
    texts = [f"text number {i}" for i in range(60)]
    data = tmp_path / "texts.csv"
    lines = [
        f"{text},{label}" for text, label in zip(texts, ["cat", "dog", "fox"] * 20, strict=True)
    ]
    data.write_text("text,label\n" + "\n".join(lines) + "\n")
    run = class_run(values=texts, data=data, summary=rich)
    rename = [f"texts.csv:{i}" for i in range(2, 62)]
    predictions = run.folder / "predictions.csv"
    header, *rows = predictions.read_text().splitlines()
    named = [f"{name},{row.split(',', 1)[1]}" for name, row in zip(rename, rows, strict=True)]
    predictions.write_text("\n".join([header, *named]) + "\n")
    report = write_report([run])
    assert report.absent == ()
    assert report.path == run.folder / "report.html"
    assert report.size == report.path.stat().st_size
    tree = Tree(read(report))
    parts = ["score", "map", "mistakes", "suspects", "health", "learning", "record", "ledger"]
    assert [name for name in tree.ids if name in parts] == parts
    figures = (
        "arms scratch confusion reliability strength classes map-0 map-1 learning phases".split()
    )
    assert [name[7:] for name in tree.ids if name.startswith("figure-")] == figures
    assert len(tree.ids) == len(set(tree.ids))


def test_the_verdict_stands_at_the_top_in_one_sentence(class_run, rich, computed):
    html = read(write_report([class_run(summary=rich)]))
    heading = re.search(r"<h1>(.*?)</h1>", html, re.DOTALL)[1]
    assert (
        "The transfer was worth it: 12.3 points of accuracy above the raw input under the best head"
    ) in heading
    assert html.index("<h1>") < html.index("<svg")
    assert "95 % interval +9.1 to +15.4 points, paired on 60 rows." in html
    assert "Keep the backbone frozen." in html


@pytest.mark.parametrize(
    ("level", "delta", "said"),
    [
        ("marginal", 0.84, "barely worth it: 0.8 points of accuracy above"),
        ("none", 0.3, "No gain from the transfer is shown"),
        ("negative", -4.6, "not worth it: 4.6 points of accuracy below"),
    ],
)
def test_each_level_has_its_words(class_run, rich, computed, level, delta, said):
    verdict = {**rich["verdict"], "level": level, "delta": delta}
    html = read(write_report([class_run(summary={**rich, "verdict": verdict})]))
    assert said in html
    assert f'<header class="top {level}">' in html


def test_the_figures_say_the_runs_numbers(class_run, rich, computed):
    html = read(write_report([class_run(summary=rich)]))
    assert table_rows(html, "arms")[1:4] == [
        [
            "transfer",
            "0.751",
            "0.710 to 0.790",
            "",
            "0.6 s",
            "the pretrained backbone, frozen, under the head",
        ],
        [
            "from scratch",
            "0.601",
            "0.550 to 0.650",
            "",
            "2.0 min",
            "a learner trained on these samples alone",
        ],
        [
            "raw input",
            "0.628",
            "0.580 to 0.670",
            "+12.3 (+9.1 to +15.4)",
            "1.2 s",
            "the input itself under the best of the heads",
        ],
    ]
    assert table_rows(html, "confusion") == [
        ["true \\ predicted", "cat", "dog", "fox", "recall"],
        ["cat", "20", "0", "0", "100.0 %"],
        ["dog", "0", "15", "5", "75.0 %"],
        ["fox", "10", "0", "10", "50.0 %"],
    ]
    assert "dog predicted as fox: 5 rows, 25.0 % of the class" in html
    assert table_rows(html, "strength")[1:] == [
        ["0.0001", "1.250", "1.150 to 1.350"],
        ["0.01", "0.750", "0.650 to 0.850"],
        ["1", "2.500", "2.400 to 2.600"],
    ]
    assert table_rows(html, "learning")[1] == ["15", "0.500", "0.450 to 0.550"]
    assert table_rows(html, "map-0")[1:] == [
        ["cat", "20", "0"],
        ["dog", "20", "5"],
        ["fox", "20", "10"],
    ]
    assert table_rows(html, "phases")[1:] == [["features", "1.5 s"], ["head", "0.5 s"]]


def test_the_ledger_says_what_is_estimated_and_against_what_it_saved(class_run, rich):
    ledger = section(read(write_report([class_run(summary=rich)])), "ledger")
    for words in (
        "612 MB",
        "1,820 J, estimated: 12 W a core",
        "0.243 g, estimated at 480.0 g/kWh (world average)",
        "saved against the backbone run in 6 fits of 10 epochs",
        "16.0 min, estimated",
    ):
        assert words in ledger


def test_reliability_bins_what_was_stated_and_what_happened(class_run):
    rows = table_rows(read(write_report([class_run()])), "reliability")
    # 45 right rows at 0.95; the 15 wrong ones at 0.65 to 0.74, none of them right.
    assert rows[1:] == [
        ["0.60 to 0.67", "0.655", "0.000", "0.000 to 0.658", "2"],
        ["0.67 to 0.73", "0.705", "0.000", "0.000 to 0.259", "11"],
        ["0.73 to 0.80", "0.740", "0.000", "0.000 to 0.658", "2"],
        ["0.93 to 1.00", "0.950", "1.000", "0.921 to 1.000", "45"],
    ]


def test_the_surest_mistakes_come_first(class_run):
    html = section(read(write_report([class_run()])), "mistakes")
    assert "15 of 60 rows are predicted wrong" in html
    names = re.findall(r'class="name"><bdi>(.*?)</bdi>', html)
    assert len(names) == 12
    assert set(names[:2]) == {"item 1/19", "item 2/19"}
    assert "fox (74.0 %)" in html


def test_mistakes_of_repeats_are_those_of_all_together(class_run):
    run = class_run()
    run.summary["evaluation"]["protocol"] = "cv"
    html = section(read(write_report([run])), "mistakes")
    assert "15 of 60 rows are predicted wrong by the repeats together" in html


def test_a_mistake_about_equal_content_is_told_once(write_run, computed):
    cells = [[f"item {i}", "test", "cat", "dog", f"0.{90 - i}"] for i in range(6)]
    values = ["one", "two", "one", "two", "two", "three"]
    header = ["label", "prediction", "probability"]
    run = write_run("class", ("cat", "dog"), header, cells, values=values)
    html = section(read(write_report([run])), "mistakes")
    assert "6 of 6 rows are predicted wrong" in html
    names = re.findall(r'class="name"><bdi>(.*?)</bdi>', html)
    assert names == ["item 0", "item 1", "item 5"]


def test_what_a_run_lacks_is_a_line_and_no_error(class_run):
    run = class_run()
    (run.folder / "ledger.json").unlink()
    report = write_report([run])
    told = "\n".join(report.absent)
    for words in (
        "The score against the arms: not measured in this run.",
        "Loss against strength: not kept by this run.",
        "Data health: not looked at in this run.",
        "The samples were in memory and are not kept with the run.",
        "Ledger: 'ledger.json' is missing or damaged.",
    ):
        assert words in told
    html = read(report)
    assert "75.0 % of 60 rows held out are predicted right" in html.split("<main>")[0]
    assert "was not measured in this run" in html.split("<main>")[0]


def test_features_that_are_gone_are_a_line(class_run, computed, monkeypatch, tmp_path):
    run = class_run()
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "elsewhere"))
    told = "\n".join(write_report([run]).absent)
    assert "The samples as the backbone sees them: cannot be shown: the features of" in told
    assert f"are not under '{tmp_path / 'elsewhere'}" in told


def test_damaged_predictions_leave_the_rest(class_run, rich, computed):
    run = class_run(summary=rich)
    (run.folder / "predictions.csv").write_text("item,split,label,prediction,probability\nx,test\n")
    html = read(write_report([run]))
    assert "rows of different lengths" in html
    assert 'id="figure-arms"' in html
    assert 'id="figure-confusion"' not in html


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": {"level": "positive"}},
        {"verdict": [1]},
        {"health": 3},
        {"head": {"name": "logistic", "strength": None, "path": [{"strength": -1, "value": "x"}]}},
        {"ledger": {"seconds": "soon", "deep": {"a": {"b": [1, {"c": None}]}}}},
    ],
)
def test_odd_values_of_a_summary_end_no_report(class_run, computed, change):
    run = class_run()
    run.summary.update(change)
    Tree(read(write_report([run])))


def test_a_policy_of_hashes_allows_the_pages_own_style_and_script_alone(class_run, computed):
    html = write_report([class_run()]).path.read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)[1].replace("&#39;", "'")
    for element, directive in (("style", "style-src"), ("script", "script-src")):
        text = re.search(rf"<{element}>(.*?)</{element}>", html, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy
    tree = Tree(html)
    assert html.index("Content-Security-Policy") < html.index("<style>")
    assert not [a for a in tree.attributes if a[1] == "style" or a[1].startswith("on")]
    addresses = [value for _, name, value in tree.attributes if name in ("src", "href", "action")]
    assert all(value.startswith(("#", "data:image/jpeg;base64,")) for value in addresses)
    assert not {"link", "iframe", "object", "base", "form"} & set(tree.tags)


HOSTILE = (
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "\x1b[31mred\x1b[0m\u202ereversed =cmd|' /C calc'!A0",
)


def test_hostile_names_are_inert_everywhere(class_run, rich, computed, tmp_path):
    rich["health"][0]["text"] = HOSTILE[1]
    rich["verdict"]["advice"] = HOSTILE[0]
    rich["verdict"]["arms"][HOSTILE[1]] = rich["verdict"]["arms"]["majority"]
    run = class_run(HOSTILE, summary=rich, plan={"data": HOSTILE[0], "notes": [HOSTILE[1]]})
    predictions = run.folder / "predictions.csv"
    predictions.write_text(predictions.read_text().replace("item 0/0", "</title>" + "x" * 10_000))
    html = read(write_report([run]))
    tree = Tree(html)
    assert tree.tags.count("script") == 2  # its own, and the points
    assert not [a for a in tree.attributes if a[1].startswith("on")]
    assert "<img src=x" not in html
    assert "\x1b" not in html
    assert "\u202e" not in html
    assert "x" * 200 not in html
    assert any("alert(1)" in text for text in tree.texts)  # shown, as text


def test_the_points_are_json_that_no_text_can_leave(class_run, computed):
    html = read(write_report([class_run(HOSTILE)]))
    text = re.search(r'<script type="application/json" id="points">(.*?)</script>', html)[1]
    points = json.loads(text)
    assert "<" not in text
    assert "</script><script>alert(1)" in points["said"][0]
    assert len(points["names"]) == len(points["said"]) == len(points["tiles"]) == 60
    assert all(len(places) == 120 for places in points["places"].values())


def test_5000_samples_with_long_texts_stay_within_3_mb(write_run, computed, tmp_path):
    rng = np.random.default_rng(0)
    names = [f"Klasse {i} 类别名称 {'ä' * 60}" for i in range(30)]
    texts = [f"{i} " + "文本".join(str(x) for x in rng.integers(1e6, size=60)) for i in range(5000)]
    data = tmp_path / "texts.csv"
    data.write_text("text,label\n" + "".join(f"{t},{names[i % 30]}\n" for i, t in enumerate(texts)))
    cells = [
        [f"texts.csv:{i + 2}", "test", names[i % 30], names[(i + (i % 3 == 0)) % 30], "0.9"]
        for i in range(5000)
    ]
    header = ["label", "prediction", "probability"]
    run = write_run("class", names, header, cells, values=texts, data=data)
    report = write_report([run])
    assert 1e5 < report.size <= 3_000_000
    points = re.search(r'id="points">(.*?)</script>', read(report))[1]
    assert len(json.loads(points)["names"]) >= 1250


def photo_run(write_run, photos):
    files = sorted(photos.rglob("*.png"))
    cells = [
        [file.relative_to(photos).as_posix(), "test", file.parent.name, "dark", "0.9"]
        for file in files
    ]
    header = ["label", "prediction", "probability"]
    names = ("dark", "light")
    return files, write_run("class", names, header, cells, values=files, data=photos)


def picture_of(uri):
    return Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1])))


def test_thumbnails_are_of_the_very_samples(write_run, photos, computed):
    files, run = photo_run(write_run, photos)
    html = read(write_report([run]))
    mistakes = section(html, "mistakes")
    names = re.findall(r'class="name"><bdi>(.*?)</bdi>', mistakes)
    pictures = [picture_of(uri) for uri in re.findall(r'<img src="(data:[^"]+)"', mistakes)]
    assert len(names) == len(pictures) == 12
    for name, picture in zip(names, pictures, strict=True):
        with Image.open(photos / name) as original:
            assert np.asarray(picture).mean() == pytest.approx(np.asarray(original).mean(), abs=3)
            assert picture.width / picture.height == pytest.approx(
                original.width / original.height, abs=0.05
            )
    points = json.loads(re.search(r'id="points">(.*?)</script>', html)[1])
    sheet = picture_of(re.search(r'<img id="sheet" src="([^"]+)"', html)[1])
    assert points["tiles"] == list(range(len(files)))
    side = points["tile"]
    middle = [
        np.asarray(sheet.crop((i * side + 30, 30, i * side + 34, 34))).mean() for i in (0, 23)
    ]
    assert middle[0] < 120 < middle[1]  # dark and light


def test_a_file_that_changed_since_is_not_shown(write_run, photos, computed):
    files, run = photo_run(write_run, photos)
    for file in files:
        file.write_bytes(file.read_bytes() + b"0")
    html = read(write_report([run]))
    assert "<img" not in html
    assert "light/00.png" in section(html, "mistakes")


def test_data_that_was_moved_is_said_and_found_by_name(write_run, photos, computed):
    _, run = photo_run(write_run, photos)
    moved = photos.rename(photos.with_name("moved"))
    assert "The samples cannot be shown" in "".join(write_report([run]).absent)
    report = write_report([run], data=str(moved))
    assert "samples cannot be shown" not in "".join(report.absent)
    assert section(read(report), "mistakes").count("<img src=") == 12


def test_several_outputs_are_checked(class_run, tmp_path):
    run = class_run()
    with pytest.raises(UsageError, match="no HTML file"):
        write_report([run], out=tmp_path / "report.pdf")
    with pytest.raises(UsageError, match="no run"):
        write_report([])
    with pytest.raises(UsageError, match="one run"):
        write_report([run, run], data="there")
    assert write_report([run], out=tmp_path).path == tmp_path / "report.html"
    taken = tmp_path / "file"
    taken.write_text("")
    with pytest.raises(DataError, match="cannot write"):
        write_report([run], out=taken / "report.html")
