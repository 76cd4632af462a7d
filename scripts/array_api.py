"""Run the public test suite of the Python array API standard against eagerdl.

    python scripts/array_api.py --suite PATH [--max-examples N] [--module NAME] [--processes N] [--update]

PATH is a checkout of the suite, data-apis/array-api-tests, with its submodule (`git submodule update --init`)
and its requirements installed beside eagerdl (`pip install -r PATH/requirements.txt`). Examples are drawn
without randomness, so two runs agree.

Failures named in tests/array_api_xfails.txt are expected. The exit status is 0 if there is no other failure,
1 if there is one, and 2 if the suite could not run.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXPECTED = ROOT / "tests" / "array_api_xfails.txt"
STANDARD = "2024.12"


class SuiteError(Exception):
    """The suite could not run."""


def check_suite(suite):
    """Refuse a folder that is not a complete checkout of the suite."""
    if not (suite / "array_api_tests").is_dir():
        raise SuiteError(
            f"--suite must be a checkout of data-apis/array-api-tests; "
            f"{suite} has no folder array_api_tests; give the folder that holds it"
        )
    if not (suite / "array-api" / "spec").is_dir():
        raise SuiteError(
            f"the suite needs its submodule; {suite / 'array-api'} is empty; "
            f"run `git submodule update --init` in {suite}"
        )


def run_suite(suite, module, max_examples, processes, expected):
    """Run the suite and return its tests as a dict from test id to outcome.

    Args:
        suite: the folder of the checkout.
        module: the array library to test, a module name.
        max_examples: how many examples Hypothesis draws for each test.
        processes: how many processes run tests; more than one needs pytest-xdist.
        expected: a file of expected failures, or None.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pytest", "array_api_tests", "-q", "--tb=line"]
        command += [f"--max-examples={max_examples}", "--derandomize", "--disable-deadline"]
        command += ["-p", "no:cacheprovider", "--json-report", f"--json-report-file={report}"]
        command += ["--json-report-omit", "collectors", "keywords", "log", "streams", "traceback", "warnings"]
        if processes > 1:
            command += ["-n", str(processes)]
        if expected is not None:
            command += ["--xfails-file", str(expected)]
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        environment = {
            **os.environ,
            "PYTHONPATH": path,
            "ARRAY_API_TESTS_MODULE": module,
            "ARRAY_API_TESTS_VERSION": STANDARD,
        }
        status = subprocess.run(command, cwd=suite, env=environment, stdin=subprocess.DEVNULL).returncode
        # pytest's 0 and 1 say that tests ran; anything else, that they did not.
        if status not in (0, 1) or not report.exists():
            raise SuiteError(
                f"the suite must run to its end; pytest left with status {status}; its output above says why "
                f"(are the suite's requirements installed?)"
            )
        return {test["nodeid"]: test["outcome"] for test in json.loads(report.read_text())["tests"]}


def add_expected(failures):
    """Add failures that are not in the list of expected ones to its end; return how many there were."""
    text = EXPECTED.read_text() if EXPECTED.exists() else ""
    new = sorted(set(failures) - set(text.splitlines()))
    if new:
        EXPECTED.write_text("\n".join([text.rstrip("\n"), "", "# Not explained yet.", *new]) + "\n")
    return len(new)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--suite", type=Path, required=True, metavar="PATH", help="checkout of the suite")
    parser.add_argument("--max-examples", type=int, default=3, metavar="N", help="per test (default: 3)")
    parser.add_argument("--module", default="eagerdl", metavar="NAME", help="what to test (default: eagerdl)")
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="processes (default: 1)")
    parser.add_argument("--update", action="store_true", help="add to the list of expected failures")
    arguments = parser.parse_args()

    suite = arguments.suite.resolve()
    # Another library is measured as it is; an update has to see every failure.
    listed = arguments.module == "eagerdl" and not arguments.update
    try:
        check_suite(suite)
        outcomes = run_suite(
            suite,
            arguments.module,
            arguments.max_examples,
            arguments.processes,
            EXPECTED if listed else None,
        )
    except SuiteError as error:
        print(f"[array_api] {error}", file=sys.stderr)
        return 2

    failures = [test for test, outcome in outcomes.items() if outcome in ("failed", "error")]
    if arguments.update:
        print(f"{add_expected(failures)} of {len(failures)} failures added to {EXPECTED.relative_to(ROOT)}")
        return 0
    counts = Counter(outcomes.values())
    print(f"\n{arguments.module} and array API {STANDARD}, {arguments.max_examples} examples per test")
    print(f"{len(outcomes):6} tests")
    for outcome, meaning in (
        ("passed", "passed"),
        ("failed", "failed unexpectedly"),
        ("error", "stopped with an error"),
        ("xfailed", "failed as expected"),
        ("xpassed", "passed although listed"),
        ("skipped", "skipped"),
    ):
        print(f"{counts[outcome]:6} {meaning}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
