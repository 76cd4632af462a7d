"""Downloads and archives: whole or not at all, and nothing leaves its folder."""

import hashlib
import io
import os
import pathlib
import stat
import tarfile
import urllib.request
import zipfile

import pytest

from eagerdl import utils
from eagerdl.errors import (
    ArgumentError,
    DownloadError,
)
from eagerdl.utils.archives import extract_archive

# -- downloads ----------------------------------------------------------------------------------


@pytest.fixture
def there(tmp_path):
    path = tmp_path / "there" / "data.bin"
    path.parent.mkdir()
    path.write_bytes(bytes(range(256)) * 5000)
    return path


def checksum(path, algorithm="sha256"):
    return hashlib.new(algorithm, path.read_bytes()).hexdigest()


def read(path):
    return pathlib.Path(path).read_bytes()


def leftovers(folder):
    return [path for path in folder.rglob("*") if path.name.startswith(".")]


def test_a_file_is_fetched_once(there, tmp_path, monkeypatch):
    monkeypatch.setenv("EAGERDL_HOME", str(tmp_path / "home"))
    path = utils.get_file(origin=there.as_uri(), file_hash=checksum(there))
    assert path == str(tmp_path / "home" / "datasets" / "data.bin") and read(path) == there.read_bytes()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o644 and not leftovers(tmp_path)
    changed = there.read_bytes() + b"new"
    there.write_bytes(changed)
    assert read(utils.get_file(origin=there.as_uri())) != changed
    assert read(utils.get_file(origin=there.as_uri(), force_download=True)) == changed


@pytest.mark.parametrize("options", [
    lambda path: {"file_hash": checksum(path)}, lambda path: {"file_hash": checksum(path, "md5")}, lambda path: {"md5_hash": checksum(path, "md5")},
    lambda path: {"file_hash": checksum(path), "hash_algorithm": "sha256"},
])  # fmt: skip
def test_checksums_are_checked_and_damaged_files_fetched_again(there, tmp_path, options):
    options = {"cache_dir": tmp_path, "cache_subdir": "cache", "origin": there.as_uri(), **options(there)}
    path = utils.get_file("mine.bin", **options)
    assert path == str(tmp_path / "cache" / "mine.bin")
    with open(path, "wb") as file:
        file.write(b"damaged")
    assert read(utils.get_file("mine.bin", **options)) == there.read_bytes()
    there.write_bytes(b"another file")
    os.remove(path)
    with pytest.raises(DownloadError, match=r"the file must have the (sha256|md5) checksum"):
        utils.get_file("mine.bin", **options)
    assert not os.path.exists(path) and not leftovers(tmp_path)


def test_what_fails_leaves_nothing_and_says_so(there, tmp_path, monkeypatch):
    with pytest.raises(DownloadError, match=r"the file must be reachable; file:.*nowhere.*put the file there by hand"):
        utils.get_file(origin=(tmp_path / "nowhere").as_uri(), cache_dir=tmp_path)
    with pytest.raises(DownloadError, match="unknown url type"):
        utils.get_file("a", origin="nonsense", cache_dir=tmp_path)

    class Response(io.BytesIO):
        headers: dict = {"Content-Length": "100"}  # noqa: RUF012

    monkeypatch.setattr(urllib.request, "urlopen", lambda *args, **kwargs: Response(b"only some"))
    with pytest.raises(DownloadError, match="9 of 100 bytes"):
        utils.get_file("part", "https://example.org/part", cache_dir=tmp_path)

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(Response, "read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        utils.get_file("part", "https://example.org/part", cache_dir=tmp_path)
    assert not leftovers(tmp_path) and not (tmp_path / "datasets" / "part").exists()


@pytest.mark.parametrize(("args", "options", "match"), [
    ((), {}, "the URL of the file is needed"), (("a/b",), {"origin": "file:///x"}, "fname is a name without folders"),
    (("..",), {"origin": "file:///x"}, "without folders"), ((), {"origin": "https://example.org/"}, "without folders"),
    (("a",), {"origin": "file:///x", "file_hash": "abc"}, "a checksum is one of SHA-256 or MD5"),
    (("a",), {"origin": "file:///x", "hash_algorithm": "crc"}, "hash_algorithm='crc'"),
])  # fmt: skip
def test_get_file_refuses(args, options, match, tmp_path):
    with pytest.raises(ArgumentError, match=match):
        utils.get_file(*args, **options, cache_dir=tmp_path)


def test_a_cache_that_cannot_be_written(there, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DownloadError, match=r"the cache folder must be writable.*EAGERDL_HOME"):
        utils.get_file(origin=there.as_uri(), cache_dir=tmp_path / "file")


# -- archives -----------------------------------------------------------------------------------


def tar_of(path, *members, mode="w:gz"):
    """A tar file of members, which are TarInfo, or pairs of name and content."""
    with tarfile.open(path, mode) as archive:
        for member in members:
            data = b""
            if isinstance(member, tuple):
                member, data = tarfile.TarInfo(member[0]), member[1]
                member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def special(name, kind, link=""):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member


def zip_of(path, *members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


GOOD = (("top/a.txt", b"a"), ("top/deep/b.txt", b"b"))


@pytest.mark.parametrize("make", [
    lambda path: tar_of(path, *GOOD), lambda path: tar_of(path, *GOOD, mode="w"), lambda path: tar_of(path, *GOOD, mode="w:bz2"),
    lambda path: tar_of(path, *GOOD, mode="w:xz"), lambda path: zip_of(path, *GOOD), lambda path: zip_of(path, ("top/", b""), *GOOD),
    lambda path: tar_of(path, special("top", tarfile.DIRTYPE), *GOOD),
])  # fmt: skip
def test_archives_are_unpacked(make, tmp_path):
    origin = make(tmp_path / "some.archive").as_uri()
    first = utils.get_file("name", origin, extract=True, cache_dir=tmp_path)
    assert first == str(tmp_path / "datasets" / "name")
    second = utils.get_file("name.tgz", origin, extract=True, cache_dir=tmp_path)
    assert second == str(tmp_path / "datasets" / "name_extracted")
    third = utils.get_file(origin=origin, extract=True, cache_dir=tmp_path)
    assert third == str(tmp_path / "datasets" / "some.archive")
    for path in (first, second, third):
        assert tree(tmp_path / path) == dict(GOOD)
    assert not leftovers(tmp_path)


def test_an_unpacked_archive_is_used_again_and_replaced_as_a_whole(tmp_path):
    path = tar_of(tmp_path / "a.tar.gz", *GOOD)
    out = utils.get_file("a", path.as_uri(), untar=True, cache_dir=tmp_path)
    mine = tmp_path / "datasets" / "a" / "mine.txt"
    mine.write_text("kept until it comes anew")
    assert utils.get_file("a", path.as_uri(), untar=True, cache_dir=tmp_path) == out and mine.exists()
    tar_of(path, ("new", b"new"))
    assert tree(tmp_path / utils.get_file("a", path.as_uri(), untar=True, cache_dir=tmp_path, force_download=True)) == {
        "new": b"new"
    }
    assert not leftovers(tmp_path)


def test_links_inside_of_the_folder_and_modes_are_kept(tmp_path):
    run = tarfile.TarInfo("bin/run")
    run.mode = 0o4755
    members = [
        ("data/a", b"a"),
        run,
        special("data/link", tarfile.SYMTYPE, "a"),
        special("up", tarfile.SYMTYPE, "data/../data/a"),
        special("hard", tarfile.LNKTYPE, "data/a"),
    ]
    extract_archive(tar_of(tmp_path / "a.tar", *members), tmp_path / "out")
    assert tree(tmp_path / "out") == {"data/a": b"a", "bin/run": b"", "data/link": b"a", "up": b"a", "hard": b"a"}
    assert (tmp_path / "out" / "data" / "link").is_symlink()
    assert [stat.S_IMODE((tmp_path / "out" / name).stat().st_mode) for name in ("bin/run", "data/a")] == [0o755, 0o644]


SYM, HARD = tarfile.SYMTYPE, tarfile.LNKTYPE
HOSTILE = {
    "parent": lambda path: tar_of(path, ("../evil", b"x")), "absolute": lambda path: tar_of(path, ("/tmp/evil", b"x")),
    "deep": lambda path: tar_of(path, ("a/b/../../../evil", b"x")), "link out": lambda path: tar_of(path, special("a", SYM, "../..")),
    "absolute link": lambda path: tar_of(path, special("a", SYM, "/etc/passwd")), "hard link out": lambda path: tar_of(path, special("a", HARD, "../victim")),
    "through a link": lambda path: tar_of(path, special("x", SYM, "."), special("a", SYM, "x/.."), ("a/evil", b"x")),
    "a link moved later": lambda path: tar_of(path, special("a", SYM, "x/.."), special("x", SYM, ".")),
    "device": lambda path: tar_of(path, special("a", tarfile.CHRTYPE)), "pipe": lambda path: tar_of(path, special("a", tarfile.FIFOTYPE)),
    "zip parent": lambda path: zip_of(path, ("../evil", b"x")), "zip absolute": lambda path: zip_of(path, ("/tmp/evil", b"x")),
    "drive": lambda path: zip_of(path, ("C:evil", b"x")),
}  # fmt: skip


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_no_archive_leaves_its_folder(make, tmp_path):
    (tmp_path / "victim").write_text("unharmed")
    path = make(tmp_path / "hostile")
    with pytest.raises(ArgumentError, match="do not trust this archive"):
        extract_archive(path, tmp_path / "inner" / "out")
    assert sorted(entry.name for entry in tmp_path.rglob("*")) == ["hostile", "inner", "victim"]


@pytest.mark.parametrize(("content", "options", "match"), [
    (b"text", {}, "an archive is needed: tar or zip"), (None, {"archive_format": "zip"}, "an archive is needed: zip"),
    (None, {"archive_format": None}, "none is allowed"), (None, {"archive_format": "rar"}, "archives are 'tar' or 'zip'; got 'rar'"),
])  # fmt: skip
def test_what_is_no_archive_is_refused(content, options, match, tmp_path):
    path = tar_of(tmp_path / "a.tar.gz", *GOOD)
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ArgumentError, match=match):
        extract_archive(path, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists() and not leftovers(tmp_path)


def test_a_damaged_archive_leaves_what_was_there(tmp_path):
    out = tmp_path / "out"
    extract_archive(tar_of(tmp_path / "good.tar.gz", *GOOD), out)
    whole = tar_of(tmp_path / "bad.tar.gz", ("a", os.urandom(50000)), ("b", os.urandom(50000))).read_bytes()
    for damaged in (whole[:-40000], whole[:30000] + bytes(1000) + whole[31000:]):
        (tmp_path / "bad.tar.gz").write_bytes(damaged)
        with pytest.raises(ArgumentError, match="must unpack to its end"):
            extract_archive(tmp_path / "bad.tar.gz", out)
        assert tree(out) == dict(GOOD) and not leftovers(tmp_path)
