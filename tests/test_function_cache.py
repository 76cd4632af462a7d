"""Compiled kernels on disk: what is kept is found whole or not at all, whatever happens to the folder; it cannot grow without bound."""

import errno
import hashlib
import json
import multiprocessing
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
import pytest

import eagerdl as edl
from eagerdl import cli, doctor
from eagerdl.kernels import threads
from eagerdl.machine import cache, compiler, elsewhere
from eagerdl.machine.translation import object_file

ROOT = pathlib.Path(__file__).parent.parent
KEY = "a" * 64


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty cache, not yet warned of."""
    monkeypatch.setenv("EAGERDL_CACHE", str(tmp_path / "kernels"))
    monkeypatch.setattr(cache, "_warned", False)
    monkeypatch.setattr(cache, "_writes", 0)
    return tmp_path / "kernels"


def keep(key=KEY, code=b"\x7fELF\n\x00code", source="def kernel(P): pass"):
    cache.write(key, code, "symbol", source, "numba 1")
    return code


# -- one kernel ---------------------------------------------------------------------------------------


def test_what_is_written_is_read(folder):
    assert cache.read(KEY) is None
    code = keep()
    assert cache.read(KEY) == (code, "symbol")
    assert cache.read("b" * 64) is None
    assert [path.name for path in folder.iterdir()] == [KEY + ".kernel"]
    assert folder.stat().st_mode & 0o077 == 0


def test_every_truncated_file_counts_as_absent(folder):
    keep()
    path = folder / (KEY + ".kernel")
    data = path.read_bytes()
    for count in range(len(data)):
        path.write_bytes(data[:count])
        assert cache.read(KEY) is None, count
    path.write_bytes(data + b"\0")
    assert cache.read(KEY) is None


def test_every_changed_byte_makes_a_file_absent(folder):
    """Also one in its head: a wrong length would cut the machine code."""
    code = keep()
    path = folder / (KEY + ".kernel")
    data = path.read_bytes()
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert cache.read(KEY) is None, place
    path.write_bytes(data)
    assert cache.read(KEY) == (code, "symbol")


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"eagerdl kernel\n{}\n", b"eagerdl kernel 2\n", b"eagerdl kernel 2\n\n\n", b"[1, 2]", os.urandom(500)]
)  # fmt: skip
def test_foreign_files_count_as_absent(folder, data):
    folder.mkdir()
    path = folder / (KEY + ".kernel")
    path.write_bytes(data)
    assert cache.read(KEY) is None
    code = keep()  # and are replaced
    assert cache.read(KEY) == (code, "symbol")


def test_a_file_under_the_name_of_another_counts_as_absent(folder):
    keep()
    os.rename(folder / (KEY + ".kernel"), folder / ("b" * 64 + ".kernel"))
    assert cache.read("b" * 64) is None


def test_a_folder_in_the_place_of_a_file_counts_as_absent(folder):
    (folder / (KEY + ".kernel")).mkdir(parents=True)
    assert cache.read(KEY) is None


def test_keys_depend_on_source_vocabulary_versions_and_processor(monkeypatch):
    first = compiler.key_of("def kernel(P): pass")
    assert first == compiler.key_of("def kernel(P): pass") != compiler.key_of("def kernel(Q): pass")
    assert compiler.vocabulary() in compiler.target() and compiler.versions() in compiler.target()
    monkeypatch.setattr(compiler, "target", lambda: "another")
    assert compiler.key_of("def kernel(P): pass") != first


def test_the_vocabulary_is_that_of_the_sources():
    folder = pathlib.Path(compiler.__file__).parent
    text = b"".join(
        (folder / name).read_bytes() for name in ("intrinsics.py", "formulas.py", "tiles.py", "translation.py")
    )
    assert compiler.vocabulary() == hashlib.sha256(text).hexdigest()


def numbered(first, count):
    """Sources of kernels that nobody has compiled yet: each adds a number of its own."""
    return [f"def kernel(P):\n    set_word(P, word(P, 1) + {first + i})\n" for i in range(count)]


@pytest.mark.parametrize("helped", [True, False])
def test_another_process_helps_with_many_kernels(folder, monkeypatch, helped):
    """Whatever becomes of it: all kernels are there, and it has ended."""
    if not helped:
        monkeypatch.setattr(sys, "executable", "/nowhere/python")
    processes, start = [], subprocess.Popen

    def noted(*args, **named):
        processes.append(start(*args, **named))
        return processes[-1]

    monkeypatch.setattr(subprocess, "Popen", noted)
    made = compiler.kernels(numbered(1000 if helped else 2000, elsewhere.MANY))
    table = np.array([0, 3], np.int64)
    for kernel in made:
        kernel.run(table.ctypes.data)
        assert str(table[0] - 3) in kernel.source
    assert len(processes) == (helped and threads.cores() > 1)
    assert all(process.returncode is not None for process in processes)


def test_the_other_process_fills_the_cache(folder):
    sources = numbered(3000, 3)
    given = json.dumps(sources).encode()
    subprocess.run([sys.executable, "-c", elsewhere.PROGRAM], input=given, check=True, cwd=ROOT, timeout=120)
    assert all(cache.has(compiler.key_of(source)) for source in sources)
    before = compiler.compile_counts()["compiled"]
    compiler.kernels(sources)
    assert compiler.compile_counts()["compiled"] == before


def test_a_helper_begins_with_the_first_missing_kernel_of_a_large_graph(folder, monkeypatch):
    begun = []
    monkeypatch.setattr(elsewhere, "Helper", lambda: begun.append(Silent()) or begun[-1])
    monkeypatch.setattr(elsewhere.threads, "cores", lambda: 2)
    one, *rest = numbered(4000, 4)
    compiler.kernel(one)
    with elsewhere.near(False):
        compiler.kernels(rest[:1])
    assert not begun  # nobody expects many
    with elsewhere.near():
        assert not begun
        compiler.kernel(one)
        assert not begun  # nothing is missing
        with elsewhere.near():
            compiler.kernels(rest)
        (helper,) = begun
        assert helper.given == rest[1:] and not helper.ended
    assert helper.ended and elsewhere.begin() is None


class Silent:
    """A helper that does nothing."""

    ended = False

    def give(self, sources):
        self.given = sources

    def end(self):
        self.ended = True


def test_machine_code_without_its_function_is_compiled_again(folder):
    source = "def kernel(P):\n    set_word(P, word(P, 1) + 4)\n"
    code, _ = object_file(source)
    cache.write(compiler.key_of(source), code, "another", source)
    before = compiler.compile_counts()["compiled"]
    table = np.array([0, 3], np.int64)
    compiler.kernel(source).run(table.ctypes.data)
    assert table[0] == 7 and compiler.compile_counts()["compiled"] == before + 1
    assert cache.read(compiler.key_of(source))[1] != "another"  # the good one lies in its place


# -- folders that cannot be written -----------------------------------------------------------------------


def failing(number):
    def fail(*args, **named):
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EDQUOT])
def test_a_folder_that_is_full_or_read_only_costs_one_warning(folder, monkeypatch, number):
    monkeypatch.setattr(tempfile, "mkstemp", failing(number))
    with pytest.warns(
        UserWarning, match=rf"\[edl.function\] .*must be writable; .*{os.strerror(number)}; .*EAGERDL_CACHE"
    ):
        keep()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        keep()
    assert cache.read(KEY) is None and cache.contents()[1] == 0


def test_a_disk_that_fills_while_a_file_is_written_leaves_nothing_behind(folder, monkeypatch):
    class Full:
        def __init__(self, handle, mode):
            self.handle = handle

        def __enter__(self):
            return self

        def __exit__(self, *error):
            os.close(self.handle)

        def write(self, data):
            os.write(self.handle, data[:10])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(cache.os, "fdopen", Full)
    with pytest.warns(UserWarning, match="No space left"):
        keep()
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_made_costs_one_warning(tmp_path, folder, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EAGERDL_CACHE", str(tmp_path / "file" / "kernels"))
    with pytest.warns(UserWarning, match="file/kernels: Not a directory"):
        keep()
    assert cache.read(KEY) is None and cache.contents() == ({}, 0) and cache.clear() == (0, 0)
    assert not cache.is_writable()


def test_functions_run_without_a_folder(tmp_path, folder, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EAGERDL_CACHE", str(tmp_path / "file"))
    step = edl.function(lambda x: edl.exp(x) * 3.25 + 1.125 * x)
    x = edl.constant([0.5, 1.0])
    with pytest.warns(UserWarning, match="must be writable"):
        first = step(x)
    assert np.array_equal(first.numpy(), step(x).numpy())


def test_zero_switches_it_off(monkeypatch, tmp_path):
    monkeypatch.setenv("EAGERDL_CACHE", "0")
    monkeypatch.setattr(cache, "_warned", False)
    monkeypatch.chdir(tmp_path)
    keep()
    assert cache.folder() is None and cache.read(KEY) is None and not list(tmp_path.iterdir())


def test_without_a_home_nothing_is_kept_and_no_folder_of_that_name_made(monkeypatch, tmp_path):
    for name in ("EAGERDL_CACHE", "XDG_CACHE_HOME", "HOME", "USERPROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as it is for users without an entry
    monkeypatch.setattr(cache, "_warned", False)
    monkeypatch.chdir(tmp_path)
    assert cache.folder() is None and cache.read(KEY) is None
    with pytest.warns(UserWarning, match="no home folder"):
        keep()
    assert not list(tmp_path.iterdir()) and not cache.is_writable()


def test_where_it_is(monkeypatch, tmp_path):
    monkeypatch.delenv("EAGERDL_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # the standard says: to be ignored
    assert cache.folder() == tmp_path / ".cache" / "eagerdl" / "kernels"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert cache.folder() == tmp_path / "x" / "eagerdl" / "kernels"
    monkeypatch.setenv("EAGERDL_CACHE", "~/mine")
    assert cache.folder() == tmp_path / "mine"


# -- several processes ------------------------------------------------------------------------------------


def write_often(home, number):
    os.environ["EAGERDL_CACHE"] = home
    for i in range(100):
        cache.write(KEY, bytes([number]) * (1000 + i), "symbol", "source")


def test_processes_that_write_one_kernel_at_once_leave_a_whole_one(folder):
    context = multiprocessing.get_context("fork")
    folder.mkdir()
    writers = [context.Process(target=write_often, args=(str(folder), number)) for number in range(4)]
    for writer in writers:
        writer.start()
    whole = 0
    while any(writer.is_alive() for writer in writers):
        data = cache.read(KEY)
        if data is not None or whole:
            assert data is not None and len(set(data[0])) == 1 and len(data[0]) >= 1000
            whole += 1
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert whole and [path.name for path in folder.iterdir()] == [KEY + ".kernel"]


PROGRAM = """
import json, numpy as np, eagerdl as edl
from eagerdl.machine.compiler import compile_counts

v = edl.Variable([[0.5, 1.5]])

@edl.function
def step(x):
    y = edl.softmax(x * v)
    v.assign_add(edl.mean(y, axis=0, keepdims=True))
    return edl.scan(lambda c, row: (c + row, c * row), edl.zeros(2), y)

x = edl.constant(np.arange(8, dtype="float32").reshape(4, 2))
out = [step(x)[1].numpy().tolist() for _ in range(3)]
print(json.dumps([compile_counts(), out, v.numpy().tolist()]))
"""


def start(home):
    return subprocess.Popen([sys.executable, "-c", PROGRAM], cwd=ROOT, env={**os.environ, "EAGERDL_CACHE": str(home)},
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip


def result(process):
    out, error = process.communicate(timeout=200)
    assert process.returncode == 0 and not error, error
    return json.loads(out)


def test_a_second_process_compiles_nothing_and_computes_the_same_bits(folder):
    first, *numbers = result(start(folder))
    assert first["compiled"] > 0 and first["from disk"] == 0
    second, *again = result(start(folder))
    assert second["compiled"] == 0 and second["from disk"] == first["compiled"]
    assert numbers == again
    for path in list(folder.iterdir())[::2]:  # every other kernel is damaged: those are compiled again
        path.write_bytes(path.read_bytes()[:-1])
    third, *again = result(start(folder))
    assert third["compiled"] == (first["compiled"] + 1) // 2
    assert third["compiled"] + third["from disk"] == first["compiled"] and numbers == again


@pytest.mark.slow
def test_processes_that_begin_at_once_share_an_empty_folder(folder):
    results = [result(process) for process in [start(folder) for _ in range(4)]]
    assert all(one[1:] == results[0][1:] for one in results)
    assert result(start(folder))[0]["compiled"] == 0


# -- the limit --------------------------------------------------------------------------------------------


def test_the_folder_is_kept_below_its_limit_and_the_last_used_stay(folder, monkeypatch):
    monkeypatch.setattr(cache, "LIMIT", 50_000)
    monkeypatch.setattr(cache, "EVERY", 10)
    now = time.time()
    for i in range(200):
        key = f"{i:064d}"
        keep(key, os.urandom(900))
        os.utime(folder / (key + ".kernel"), (now - 10_000 + i, now - 10_000 + i))
        if i % 20 == 0:
            assert cache.contents()[1] <= 50_000 + 10 * 1300
    kept = sorted(int(path.stem) for path in folder.iterdir())
    assert kept == list(range(kept[0], 200))
    assert cache.KEPT * 50_000 - 1300 <= cache.contents()[1]


def test_reading_a_kernel_counts_as_use(folder):
    keep()
    path = folder / (KEY + ".kernel")
    os.utime(path, (1, 1))
    cache.read(KEY)
    assert time.time() - path.stat().st_mtime < 60


def test_what_killed_processes_left_is_removed_after_an_hour(folder):
    folder.mkdir()
    for name, age in (("old.part", 7200), ("new.part", 60)):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (time.time() - age, time.time() - age))
    keep()
    assert {path.name for path in folder.iterdir()} == {"new.part", KEY + ".kernel"}


def test_files_that_vanish_meanwhile_are_left_out(folder, monkeypatch):
    keep()
    monkeypatch.setattr(cache, "parsed", lambda data: cache.clear() and None)
    assert cache.contents()[0] == {None: 1}
    found = [(0.0, 10, str(folder / "gone.kernel"))]
    monkeypatch.setattr(cache, "files", lambda home, ending=cache.KERNEL: found if ending == cache.KERNEL else [])
    assert cache.contents() == ({}, 0) and cache.clear() == (0, 0)


# -- the command ------------------------------------------------------------------------------------------


def test_the_command_shows_and_clears(folder, capsys):
    keep()
    keep("b" * 64)
    (folder / "c.kernel").write_bytes(b"foreign")
    assert cli.main(["cache"]) == 0
    out = capsys.readouterr().out
    assert str(folder) in out and "3, 0.0 MB of at most 256 MB" in out
    assert "2 by numba 1\n" in out and "1 that are damaged" in out
    assert cli.main(["cache", "clear"]) == 0
    assert f"3 kernels removed from {folder}" in capsys.readouterr().out
    assert list(folder.iterdir()) == []
    assert cli.main(["cache", "clear"]) == 0 and "0 kernels removed" in capsys.readouterr().out


def test_the_command_says_what_it_could_not_remove(folder, capsys, monkeypatch):
    keep()
    monkeypatch.setattr(cache.os, "unlink", failing(errno.EACCES))
    assert cli.main(["cache", "clear"]) == 1
    assert "[eagerdl cache] the files must be yours to remove; 1 could not be" in capsys.readouterr().err


def test_the_command_knows_no_other_word(folder, capsys):
    with pytest.raises(SystemExit):
        cli.main(["cache", "cleer"])
    assert "'cleer'; the only one is clear" in capsys.readouterr().err


@pytest.mark.parametrize(("value", "words"), [("0", "EAGERDL_CACHE is 0"), ("", "folder ")])
def test_the_command_where_nothing_is_kept(monkeypatch, capsys, value, words):
    monkeypatch.setenv("EAGERDL_CACHE", value)
    assert cli.main(["cache"]) == 0
    assert words in capsys.readouterr().out


def test_the_doctor_says_whether_kernels_can_be_kept(tmp_path, folder, monkeypatch):
    keep()
    found = doctor.examine_cache()
    assert found.state == "ok" and found.found.startswith(f"1 in {folder}")
    monkeypatch.setenv("EAGERDL_CACHE", str(tmp_path / "new" / "kernels"))
    assert doctor.examine_cache().state == "ok" and not (tmp_path / "new").exists()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EAGERDL_CACHE", str(tmp_path / "file"))
    found = doctor.examine_cache()
    assert found.state == "optional" and "EAGERDL_CACHE" in found.remedy
    monkeypatch.setenv("EAGERDL_CACHE", "0")
    assert doctor.examine_cache().state == "ok"
