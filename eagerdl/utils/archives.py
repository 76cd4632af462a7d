"""Unpacking archives of strangers: nothing leaves the folder, whatever names the archive holds."""

import contextlib
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path

from eagerdl.errors import ArgumentError

__all__ = ["extract_archive"]

CHUNK = 1 << 20


def extract_archive(path, folder, archive_format="auto"):
    """Unpacks the tar or zip archive `path` into `folder`, all of it or nothing; a folder that is there is replaced.

    Args:
        path: the archive; tar files may be compressed with gzip, bzip2 or xz.
        folder: the folder to make.
        archive_format: "auto", "tar", "zip", or a list of formats to try.

    Raises:
        ArgumentError: if it is no such archive, is damaged, or holds a name, link or device that leads out of the folder.
    """
    formats = ["tar", "zip"] if archive_format == "auto" else archive_format
    formats = [formats] if isinstance(formats, str) else list(formats or [])
    unknown = [name for name in formats if name not in UNPACK]
    if unknown:
        raise ArgumentError("extract", "archives are 'tar' or 'zip'", f"got {unknown[0]!r}", "use 'auto'")
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for name in formats:
            is_one, unpack = UNPACK[name]
            if is_one(path):
                try:
                    unpack(path, made)
                except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, zlib.error) as error:
                    raise ArgumentError("extract", "the archive must unpack to its end", f"{path}: {error}",
                                        "if it is damaged, delete it and download it again") from error  # fmt: skip
                break
        else:
            raise ArgumentError("extract", f"an archive is needed: {' or '.join(formats) or 'none is allowed'}",
                                f"{path} is none", "pass extract=False, or another archive_format")  # fmt: skip
        os.chmod(made, 0o755)
        replace_folder(made, folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def replace_folder(made, folder):
    """Moves `made` to `folder`; what was there is moved aside first, so that no half of either is ever seen."""
    if folder.exists():
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        os.rename(folder, aside / "old")
        os.rename(made, folder)
        shutil.rmtree(aside, ignore_errors=True)
    else:
        os.rename(made, folder)


def inside(root, name, what):
    """The path of the member `name` below `root`, with what links among the members did to it."""
    path = os.path.realpath(os.path.join(root, name))
    if name.startswith(("/", "\\")) or ":" in name[:2] or os.path.commonpath([root, path]) != root:
        raise ArgumentError("extract", "an archive may write inside of its folder only", f"{what} leads to {name!r}",
                            "do not trust this archive")  # fmt: skip
    return path


def unpack_tar(path, folder):
    root, links = os.path.realpath(folder), []
    with tarfile.open(path) as archive:
        for member in archive:
            target = inside(root, member.name, f"the member {member.name!r}")
            if member.isdir():
                os.makedirs(target, exist_ok=True)
                continue
            os.makedirs(os.path.dirname(target), exist_ok=True)
            # A member that comes again replaces the former one; writing would go through it, if it was a link.
            with contextlib.suppress(FileNotFoundError):
                os.remove(target)
            if member.isfile():
                write(archive.extractfile(member), target, member.mode)
            elif member.issym():
                near = os.path.join(os.path.dirname(member.name), member.linkname)  # an absolute one stays absolute
                links.append((near, f"the link {member.name!r}"))
                inside(root, *links[-1])
                os.symlink(member.linkname, target)
            elif member.islnk():
                os.link(inside(root, member.linkname, f"the link {member.name!r}"), target)
            else:
                raise ArgumentError("extract", "an archive of data holds files, folders and links",
                                    f"{member.name!r} is a device or a pipe", "do not trust this archive")  # fmt: skip
        while archive.fileobj.read(CHUNK):  # to the checksum at the end of a compressed file
            pass
    for link in links:  # again: a later link may have moved what an earlier one goes through
        inside(root, *link)


def unpack_zip(path, folder):
    root = os.path.realpath(folder)
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            target = inside(root, member.filename, f"the member {member.filename!r}")
            if member.is_dir():
                os.makedirs(target, exist_ok=True)
                continue
            os.makedirs(os.path.dirname(target), exist_ok=True)
            write(archive.open(member), target, member.external_attr >> 16)


def write(source, target, mode):
    """Copies an open member into a file, which everybody may read, and execute if its owner may."""
    with source, open(target, "wb") as file:
        shutil.copyfileobj(source, file)
    os.chmod(target, 0o755 if mode & stat.S_IXUSR else 0o644)


UNPACK = {"tar": (tarfile.is_tarfile, unpack_tar), "zip": (zipfile.is_zipfile, unpack_zip)}
