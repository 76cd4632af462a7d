"""The command line: `eagerdl demo [loop | fit | lstm]`, `eagerdl doctor`, `eagerdl cache [clear]`,
`eagerdl --version`.

What a command needs is imported when it runs, so `eagerdl --version` answers at once.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

__all__ = ["main"]

MAX_SEED = 2**32 - 1

# The modules of `eagerdl.demo`, and how many epochs they take.
DEMOS = {"loop": ("by_hand", 30), "fit": ("by_fit", 12), "lstm": ("letters", 20)}


class Parser(argparse.ArgumentParser):
    """A parser that ends its errors with the way to the help."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"[{self.prog}] {message}; see `{self.prog} --help`\n")


def whole_number(low: int, high: int | None = None):
    """An argparse type: text to an int in `low ... high`."""
    wanted = f"must be a whole number of at least {low}" + ("" if high is None else f" and at most {high}")

    def convert(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = None
        if number is None or number < low or (high is not None and number > high):
            raise argparse.ArgumentTypeError(f"{wanted}; got {text!r}")
        return number

    return convert


def build_parser() -> Parser:
    """The parser of the whole command line."""
    parser = Parser(prog="eagerdl", description="Deep learning that runs line by line.")
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    demo = commands.add_parser(
        "demo",
        help="watch a network learn handwritten digits, or a poem",
        description="Train a network on 1,437 real handwritten digits and test it on 360 others, or let it learn a poem.",
    )
    demo.add_argument(
        "what",
        nargs="?",
        # No `choices`: argparse would take the value of a misspelt option for a wrong choice.
        metavar=f"{{{','.join(DEMOS)}}}",
        default="loop",
        help="loop: digits, from raw ops and a tape (default); fit: digits, by layers and fit; lstm: a poem, letter by letter",
    )
    demo.add_argument(
        "--seed",
        type=whole_number(0, MAX_SEED),
        default=0,
        metavar="N",
        help="the same seed gives the same weights, bit for bit (default: %(default)s)",
    )
    demo.add_argument(
        "--epochs",
        type=whole_number(1),
        metavar="N",
        help=f"passes over the training data (default: {', '.join(f'{epochs} for {name}' for name, (_, epochs) in DEMOS.items())})",
    )
    demo.set_defaults(run=run_demo, error=demo.error)

    doctor = commands.add_parser(
        "doctor",
        help="say what is installed, what is missing and how to get it",
        description="Print versions, BLAS, threads and CUDA, and what to install where something is missing.",
    )
    doctor.set_defaults(run=run_doctor)

    cache = commands.add_parser(
        "cache",
        help="show or clear the folder of compiled kernels",
        description="Show where compiled kernels are kept, how many and by which versions, or remove them all: they are made again "
        "when they are needed. EAGERDL_CACHE names another folder; EAGERDL_CACHE=0 keeps none.",
    )
    cache.add_argument("what", nargs="?", metavar="{clear}", help="clear: remove them")
    cache.set_defaults(run=run_cache, error=cache.error)
    return parser


def run_demo(arguments: argparse.Namespace) -> int:
    """Train, show, and return 0 if the accuracy is reached."""
    if arguments.what not in DEMOS:
        arguments.error(f"there is no demo {arguments.what!r}; choose one of {', '.join(DEMOS)}")
    module, epochs = DEMOS[arguments.what]
    return import_module(f"eagerdl.demo.{module}").run(seed=arguments.seed, epochs=arguments.epochs or epochs)


def run_doctor(arguments: argparse.Namespace) -> int:
    """Print the report and return 0 if nothing that eagerdl needs is missing."""
    from eagerdl import doctor

    return doctor.run()


def run_cache(arguments: argparse.Namespace) -> int:
    """Print what is kept, or remove it; return 0 if that could be done."""
    from eagerdl.machine import cache

    if arguments.what not in (None, "clear"):
        arguments.error(f"there is nothing to do named {arguments.what!r}; the only one is clear")
    folder = cache.folder()
    if folder is None:
        print(
            "no kernels are kept: "
            + ("EAGERDL_CACHE is 0" if "EAGERDL_CACHE" in os.environ else "there is no home folder")
        )
        return 0
    if arguments.what == "clear":
        removed, left = cache.clear()
        print(f"{removed} kernels removed from {folder}")
        if left:
            message = (
                f"[eagerdl cache] the files must be yours to remove; {left} could not be; look at who owns {folder}"
            )
            print(message, file=sys.stderr)
        return 1 if left else 0
    versions, size = cache.contents()
    print(f"folder   {folder}" + ("" if cache.is_writable() else "  (cannot be written)"))
    print(f"kernels  {sum(versions.values()):,}, {size / 2**20:.1f} MB of at most {cache.LIMIT // 2**20} MB")
    for name, count in versions.most_common():
        print(f"         {count:,} {'that are damaged, or of an older format' if name is None else f'by {name}'}")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Args:
        argv: the arguments after the program's name; the default is those of this process.
    """
    parser = build_parser()
    arguments = parser.parse_args(argv)
    if arguments.version:
        import eagerdl

        print(f"eagerdl {eagerdl.__version__}")
        return 0
    if "run" not in arguments:
        parser.print_help()
        return 0
    try:
        return arguments.run(arguments)
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
