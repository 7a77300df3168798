"""Archives of commits: plain files come out, nothing leaves the folder."""

from __future__ import annotations

import stat
import zipfile

import pytest

from zoo.errors import SourceError, TrustError
from zoo.providers.code_archive import unpack

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def unpacked(tmp_path):
    """Packs members, unpacks them and gives what came out by path."""

    def make(members, comment=COMMIT):
        archive, folder = tmp_path / "a.zip", tmp_path / "out"
        folder.mkdir()
        with zipfile.ZipFile(archive, "w") as file:
            file.comment = comment.encode()
            for name, content in members:
                file.writestr(name, content)
        unpack(archive, folder, commit=COMMIT, name="org/repo")
        return {
            p.relative_to(folder).as_posix(): p.read_text()
            for p in folder.rglob("*")
            if p.is_file()
        }

    return make


def test_the_top_folder_is_taken_off(unpacked):
    members = [("repo-1/", ""), ("repo-1/hubconf.py", "x"), ("repo-1/a/b.py", "y")]
    assert unpacked(members) == {"hubconf.py": "x", "a/b.py": "y"}


@pytest.mark.parametrize(
    "name", ["repo/../../evil.py", "/etc/evil.py", "repo\\..\\evil.py", "c:/x"]
)
def test_a_name_that_leaves_the_folder_is_refused(unpacked, tmp_path, name):
    info = zipfile.ZipInfo()
    info.filename = name  # the constructor would mend it
    with pytest.raises(TrustError, match="outside its folder"):
        unpacked([(info, "evil")])
    assert not list(tmp_path.rglob("evil.py"))


def test_links_are_left_out(unpacked):
    link = zipfile.ZipInfo("repo/link.py")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert unpacked([(link, "/etc/passwd"), ("repo/a.py", "x")]) == {"a.py": "x"}


def test_an_archive_of_another_commit_is_refused(unpacked):
    with pytest.raises(SourceError, match="of commit fff"):
        unpacked([("repo/a.py", "x")], comment="f" * 40)


def test_an_archive_that_states_no_commit_is_taken(unpacked):
    assert unpacked([("repo/a.py", "x")], comment="") == {"a.py": "x"}


def test_too_much_is_refused_before_it_is_written(unpacked, monkeypatch):
    monkeypatch.setattr("zoo.providers.code_archive._MAX_BYTES", 10)
    with pytest.raises(SourceError, match="2 files of 12 bytes"):
        unpacked([("repo/a.py", "x" * 6), ("repo/b.py", "x" * 6)])


def test_a_damaged_archive_says_so(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"PK rubbish")
    with pytest.raises(SourceError, match="damaged"):
        unpack(tmp_path / "a.zip", tmp_path, commit=COMMIT, name="org/repo")
