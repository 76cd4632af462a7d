"""CUDA C on a machine without a GPU: g++ compiles a kernel, and threads are fibers that take turns.

`compiled` gives a function of grid, block and arguments, as CuPy's RawKernel is one. Barriers and shuffles are real: each fiber runs
until it has to wait for others. A kernel in which some wait forever ends the process with a message.
"""

import ctypes
import functools
import hashlib
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

SHIM = r"""
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#define __global__
#define __device__
#define __forceinline__ inline
#define __shared__ static
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) { return (unsigned __int128)a * b >> 64; }
static inline float __int_as_float(int bits) { float x; memcpy(&x, &bits, 4); return x; }
struct Dim { unsigned x, y, z; };
static Dim threadIdx, blockIdx, blockDim, gridDim;

static const int MOST = 1024, STACK = 1 << 16;
static ucontext_t scheduler, fibers[MOST];
static char stacks[MOST][STACK];
static bool done[MOST];
static int running, alive, waiting, generation, moved;
static char slots[MOST][8];
static int warp_waiting[32], warp_generation[32];

// Inverses of erf, by Newton's method.
static double erfinv(double y) {
    if (!(fabs(y) < 1)) return fabs(y) == 1 ? y * INFINITY : NAN;
    double x = 0;
    for (int i = 0; i < 60; i++) x -= fmax(-1, fmin(1, (erf(x) - y) * 0.88622692545275801 * exp(x * x)));
    return x;
}
static float erfinvf(float y) { return erfinv(y); }
static double erfcinv(double y) { return erfinv(1 - y); }
static float erfcinvf(float y) { return erfinv(1.0 - y); }

static void yield() { swapcontext(&fibers[running], &scheduler); }
static void __syncthreads() {
    moved++;
    const int mine = generation;
    if (++waiting == alive) { waiting = 0; generation++; }
    while (mine == generation) yield();
    moved++;
}
static void sync_warp() {
    moved++;
    const int warp = running / 32, mine = warp_generation[warp];
    if (++warp_waiting[warp] == 32) { warp_waiting[warp] = 0; warp_generation[warp]++; }
    while (mine == warp_generation[warp]) yield();
    moved++;
}
template <class T> T __shfl_xor_sync(unsigned mask, T x, int step) {
    static_assert(sizeof(T) <= 8, "a word at most");
    memcpy(slots[running], &x, sizeof x);
    sync_warp();
    memcpy(&x, slots[running ^ step], sizeof x);
    sync_warp();
    return x;
}
"""
LAUNCH = r"""
static void** arguments;
static void fiber() { CALL; done[running] = true; alive--; moved++; swapcontext(&fibers[running], &scheduler); }
extern "C" void launch(unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, void** given) {
    arguments = given;
    gridDim = {gx, gy, gz}; blockDim = {bx, by, 1};
    const int count = bx * by;
    for (unsigned z = 0; z < gz; z++) for (unsigned y = 0; y < gy; y++) for (unsigned x = 0; x < gx; x++) {
        blockIdx = {x, y, z};
        alive = count; waiting = 0;
        memset(warp_waiting, 0, sizeof warp_waiting);
        for (int i = 0; i < count; i++) {
            done[i] = false;
            getcontext(&fibers[i]);
            fibers[i].uc_stack.ss_sp = stacks[i]; fibers[i].uc_stack.ss_size = STACK; fibers[i].uc_link = &scheduler;
            makecontext(&fibers[i], fiber, 0);
        }
        while (alive) {
            moved = 0;
            for (running = 0; running < count; running++) {
                if (done[running]) continue;
                threadIdx = {running % bx, running / bx, 0};
                swapcontext(&scheduler, &fibers[running]);
            }
            if (!moved) { fprintf(stderr, "threads of a kernel wait for each other forever\n"); abort(); }
        }
    }
}
"""
FP16 = r"""
#pragma once
struct __half { _Float16 value; };
static inline float __half2float(__half x) { return (float)x.value; }
static inline __half __float2half_rn(float x) { return {(_Float16)x}; }
"""
C_TYPES = {"__half": "f2",
           "bool": "b1", "signed char": "i1", "short": "i2", "int": "i4", "long long": "i8", "unsigned char": "u1",
           "unsigned short": "u2", "unsigned int": "u4", "unsigned long long": "u8", "float": "f4", "double": "f8"}  # fmt: skip


def compiler():
    """The path of g++, None where there is none."""
    return shutil.which("g++")


@functools.cache
def folder():
    """Where shared objects of this process lie."""
    made = tempfile.TemporaryDirectory(prefix="kernels")
    (Path(made.name) / "cuda_fp16.h").write_text(FP16)
    return made


def types_of(source):
    """The types of the parameters of ``kernel``, as (dtype or None for pointers, C)."""
    head = re.search(r"void kernel\(\n(.*?)\)\n\{", source, re.S)[1]
    index = re.search(r"typedef (.*) Index;", source)[1]
    found = []
    for one in re.split(r",\s+", head.strip()):
        kind = one.rsplit(" ", 1)[0].replace(" __restrict__", "")
        name = kind.removeprefix("const ").removesuffix("*").replace("Index", index)
        found.append((np.dtype(C_TYPES[name]), kind))
    return found


@functools.cache
def compiled(source):
    """A kernel as a function ``(grid, block, arguments)``; arguments are NumPy arrays, for pointers, and NumPy scalars."""
    types = types_of(source)
    call = ", ".join(f"*({kind}*)arguments[{i}]" for i, (_, kind) in enumerate(types))
    name = Path(folder().name) / hashlib.sha256(source.encode()).hexdigest()[:16]
    name.with_suffix(".cpp").write_text(SHIM + source + LAUNCH.replace("CALL", f"kernel({call})"))
    flags = ["-O0", "-fwrapv", "-ffp-contract=off", "-shared", "-fPIC", "-std=c++17", "-w", f"-I{folder().name}"]
    command = [compiler(), *flags, "-o", str(name.with_suffix(".so")), str(name.with_suffix(".cpp"))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stderr}\n{source}"
    launch = ctypes.CDLL(str(name.with_suffix(".so"))).launch

    def run(grid, block, arguments):
        assert len(arguments) == len(types), source
        words = []
        for one, (dtype, kind) in zip(arguments, types):
            assert one.dtype == dtype and isinstance(one, np.ndarray) == kind.endswith("*"), (one, kind, source)
            words.append(ctypes.c_void_p(one.ctypes.data) if kind.endswith("*") else np.array(one))
        places = [ctypes.addressof(word) if isinstance(word, ctypes.c_void_p) else word.ctypes.data for word in words]
        (gx, gy, gz), (bx, by) = (*grid, 1, 1)[:3], (*block, 1)[:2]
        assert bx * by <= 1024
        launch(gx, gy, gz, bx, by, (ctypes.c_void_p * len(places))(*places))

    return run
