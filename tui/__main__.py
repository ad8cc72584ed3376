"""`branchline` and `python -m tui`: the command line's outermost edge."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> int:
    """Run the command line.

    Returns:
        The exit code: 0, 1 for a problem, 2 for wrong usage, 130 after Ctrl-C.
    """
    if sys.argv[1:] == ["--version"]:
        from engine._version import __version__

        sys.stdout.write(f"branchline {__version__}\n")
        return 0
    from tui.cli.root import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
