"""Where a repository's code comes from: local folders, and commits of GitHub."""

from __future__ import annotations

import pytest

from zoo import settings
from zoo.errors import SourceError, StoreError, TrustError
from zoo.plugin import Source
from zoo.providers.torchhub_code import Place, commit_of, digest, fetched, local

MAIN, OLD, TAG, FORK = ("1" * 40, "2" * 40, "3" * 40, "4" * 40)


def place(text):
    return Place.of(Source.parse(f"torchhub:{text}"))


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("org/repo/net", ("net", None, "org/repo", "")),
        ("org/repo:v1/net", ("net", None, "org/repo", "v1")),
        ("org/repo:feature/x/net", ("net", None, "org/repo", "feature/x")),
        ("org/repo/net@v1", ("net", None, "org/repo", "v1")),
        (f"org/repo:main/net@{OLD}", ("net", None, "org/repo", OLD)),
        ("org/re.po_-1/net?weights=w.pt#tap", ("net", None, "org/re.po_-1", "")),
    ],
)
def test_a_source_is_taken_apart(text, want):
    found = place(text)
    assert (found.entry, found.folder, found.repository, found.ref) == want


def test_a_local_source_is_a_folder_and_an_entry_point(tmp_path):
    assert place(f"{tmp_path}/net").folder == tmp_path
    assert place("./net").folder is not None


@pytest.mark.parametrize(
    "text",
    [
        "org/repo",
        "org",
        "org/repo/",
        "org/repo/net-1",
        "org/repo:/net",
        "org/repo@v1/net",
        "../..",
        "org/../net",
        "org/repo/x/net",
        "org/re po/net",
        "./folder/",
        "org\\x/repo/net",
    ],
)
def test_what_is_not_of_the_form_says_so(text):
    with pytest.raises(SourceError, match="form") as caught:
        place(text)
    assert "entrypoint" in caught.value.hint


def test_a_folder_without_hubconf_is_refused(tmp_path):
    with pytest.raises(SourceError, match=r"no hubconf\.py"):
        local(tmp_path)
    with pytest.raises(SourceError, match="no folder"):
        local(tmp_path / "nowhere")


def test_the_digest_follows_code_and_configuration_and_nothing_else(repository):
    before = digest(repository)
    (repository / "weights.pt").write_bytes(b"x")
    (repository / "preprocess.toml").write_text("")
    (repository / ".git").mkdir()
    (repository / ".git" / "a.py").write_text("x")
    assert digest(repository) == before
    seen = {before}
    (repository / "parts.py").write_text("# changed")
    seen.add(digest(repository))
    (repository / "parts.py").rename(repository / "renamed.py")
    seen.add(digest(repository))
    (repository / "sub").mkdir()
    (repository / "sub" / "config.yaml").write_text("depth: 3")
    seen.add(digest(repository))
    assert len(seen) == 4


@pytest.mark.parametrize(
    ("ref", "commit"),
    [
        ("", MAIN),
        (":main", MAIN),
        (":feature/x", OLD),
        (":v1", TAG),
        (f":{OLD}", OLD),
    ],
)
def test_a_ref_becomes_a_commit_and_its_files(github, ref, commit):
    where = place(f"org/repo{ref}/net")
    assert commit_of(where, offline=False) == commit
    folder = fetched(where, commit, offline=False)
    assert folder.is_relative_to(settings.home())
    assert sorted(p.name for p in folder.iterdir()) == ["hubconf.py", "parts.py", "preprocess.toml"]
    assert [p.name for p in folder.parent.iterdir() if "tmp" in p.name] == []


def test_a_commit_that_is_there_is_asked_of_nobody(github):
    where = place("org/repo/net")
    fetched(where, commit_of(where, offline=False), offline=False)
    github.asked.clear()
    pinned = place(f"org/repo/net@{MAIN}")
    assert commit_of(pinned, offline=False) == MAIN
    fetched(pinned, MAIN, offline=False)
    assert github.asked == []


def test_offline_a_ref_stands_for_what_it_did_when_last_asked(github):
    where = place("org/repo:main/net")
    with pytest.raises(SourceError, match="not been fetched"):
        commit_of(where, offline=True)
    commit_of(where, offline=False)
    with pytest.raises(SourceError, match="not been fetched"):
        fetched(where, MAIN, offline=True)
    fetched(where, MAIN, offline=False)
    github.refs["refs/heads/main"] = OLD
    github.asked.clear()
    assert commit_of(where, offline=True) == MAIN
    assert fetched(where, MAIN, offline=True).is_dir()
    assert github.asked == []
    assert commit_of(where, offline=False) == OLD


def test_a_commit_that_only_a_fork_may_have_is_refused(github):
    with pytest.raises(SourceError, match=r"no branch or tag .* stands on commit") as caught:
        commit_of(place(f"org/repo:{FORK}/net"), offline=False)
    assert "fork" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("org/repo:nothing/net", "no branch or tag 'nothing'"),
        ("org/repo:both/net", "both a branch and a tag"),
        ("org/none/net", "no repository 'org/none', or it is private"),
    ],
)
def test_what_is_not_there_says_so(github, text, complaint):
    with pytest.raises(SourceError, match=complaint):
        commit_of(place(text), offline=False)


def test_a_commit_without_hubconf_is_refused(github):
    github.commit(MAIN, {"readme.txt": "x"})
    with pytest.raises(SourceError, match=r"no hubconf\.py"):
        fetched(place("org/repo/net"), MAIN, offline=False)


def test_an_archive_that_leaves_its_folder_leaves_nothing_behind(github):
    github.commit(MAIN, {"../../evil.py": "x", "hubconf.py": ""})
    with pytest.raises(TrustError, match="outside its folder"):
        fetched(place("org/repo/net"), MAIN, offline=False)
    assert not [p for p in settings.home().rglob("*") if p.is_file()]


def test_a_server_that_is_gone_is_one_clear_error(github, monkeypatch):
    monkeypatch.setenv("ZOO_GITHUB_URL", "http://127.0.0.1:9")
    with pytest.raises(SourceError, match="cannot be fetched") as caught:
        commit_of(place("org/repo/net"), offline=False)
    assert "clone it" in caught.value.hint


@pytest.mark.parametrize("path", ["refs", "archive"])
@pytest.mark.parametrize("stated", [True, False])
def test_an_answer_that_breaks_off_is_one_clear_error(github, path, stated):
    github.cut, github.stated = path, stated
    where = place("org/repo/net")
    with pytest.raises(SourceError, match="cannot be fetched"):
        fetched(where, commit_of(where, offline=False), offline=False)
    assert not [p for p in settings.home().rglob("*") if p.is_file() and p.name != "refs.json"]


def test_an_answer_that_is_no_list_of_refs_says_so(github):
    github.refs.clear()
    with pytest.raises(SourceError, match="no list of git's branches"):
        commit_of(place("org/repo/net"), offline=False)


def test_a_home_that_cannot_be_written_is_the_stores_error(github, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "file"))
    with pytest.raises(StoreError, match="cannot be written"):
        commit_of(place("org/repo:main/net"), offline=False)
    with pytest.raises(StoreError, match="cannot be written"):
        fetched(place("org/repo:main/net"), MAIN, offline=False)
