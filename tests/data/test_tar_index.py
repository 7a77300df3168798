from __future__ import annotations

import gzip
import io
import tarfile

import pytest

from zoo.data.tar_index import Member, members
from zoo.errors import DataError


def entry(name, kind=tarfile.REGTYPE, **more):
    made = tarfile.TarInfo(name)
    made.type = kind
    for key, value in more.items():
        setattr(made, key, value)
    return made


def archive(path, *entries, form=tarfile.PAX_FORMAT):
    with tarfile.open(path, "w", format=form) as tar:
        for made, content in entries:
            made.size = len(content)
            tar.addfile(made, io.BytesIO(content))
    return path


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_members_are_found_in_place_whatever_their_names(tmp_path, form):
    names = ["a.png", "日本/" + "x" * 150 + ".png", "d/e.png"]
    entries = [(entry(name), name.encode()) for name in names]
    found, others = members(archive(tmp_path / "a.tar", *entries, form=form), "a.tar")
    assert [m.name for m in found] == names
    assert [m.read() for m in found] == [name.encode() for name in names]
    assert others == 0


def test_links_and_devices_are_counted_and_hidden_files_passed_over(tmp_path):
    found, others = members(
        archive(
            tmp_path / "a.tar",
            (entry("link.png", tarfile.SYMTYPE, linkname="/etc/passwd"), b""),
            (entry("hard.png", tarfile.LNKTYPE, linkname="a.png"), b""),
            (entry("pipe.png", tarfile.FIFOTYPE), b""),
            (entry("dir", tarfile.DIRTYPE), b""),
            (entry("._a.png"), b"x"),
            (entry("a.png"), b"x"),
        ),
        "a.tar",
    )
    assert [m.name for m in found] == ["a.png"]
    assert others == 3


def test_an_archive_that_ends_between_two_members_is_refused(tmp_path):
    path = archive(tmp_path / "a.tar", (entry("a.png"), b"x" * 512), (entry("b.png"), b"y"))
    content = path.read_bytes()
    path.write_bytes(content[:1024])
    with pytest.raises(DataError, match=r"'a\.tar' is damaged or cut short at byte 1024 of"):
        members(path, "a.tar")
    path.write_bytes(content[:1024] + b"\1" + content[1025:])
    with pytest.raises(DataError, match="damaged or cut short at byte 1024 of"):
        members(path, "a.tar")


@pytest.mark.parametrize(
    "content", [b"", b"no archive", b"\0" * 100, gzip.compress(b"x" * 9999, mtime=0)]
)
def test_what_is_no_archive_is_refused_by_name(tmp_path, content):
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(DataError, match=r"'a\.tar' is") as caught:
        members(tmp_path / "a.tar", "a.tar")
    assert caught.value.hint


def test_a_size_below_nothing_does_not_loop(tmp_path):
    path = archive(tmp_path / "a.tar", (entry("a.png"), b"x"))
    header = bytearray(path.read_bytes())
    header[124:136] = b"\xff" * 10 + b"\xfc\x00"  # -1024 in base 256
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header[:512])
    path.write_bytes(header)
    with pytest.raises(DataError, match=r"a\.tar"):
        members(path, "a.tar")


def test_what_is_too_large_or_changed_meanwhile_is_not_read(tmp_path, monkeypatch):
    (member,), _ = members(archive(tmp_path / "a.tar", (entry("a.png"), b"x" * 9)), "a.tar")
    monkeypatch.setattr("zoo.data.tar_index.MAX_BYTES", 8)
    with pytest.raises(DataError, match="9 bytes, more than 8"):
        member.read()
    with pytest.raises(DataError, match="changed meanwhile"):
        Member(tmp_path / "a.tar", "a.png", 1 << 20, 5).read()
    (tmp_path / "a.tar").unlink()
    with pytest.raises(DataError, match="No such file"):
        Member(tmp_path / "a.tar", "a.png", 0, 5).read()
