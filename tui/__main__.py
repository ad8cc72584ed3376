"""`branchline` and `python -m tui`: the command line's outermost edge."""

from __future__ import annotations

import os
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
    plain = sys.argv[1:] in ([], ["--demo"]) and "_BRANCHLINE_COMPLETE" not in os.environ
    if plain and sys.stdin.isatty() and sys.stdout.isatty():
        return _app(demo=bool(sys.argv[1:]))
    from tui.cli.root import run

    return run(sys.argv[1:])


def _app(*, demo: bool) -> int:
    """The app as `branchline` alone or with `--demo` starts it, without what only a command line
    needs."""
    from engine.config.paths import state_dir
    from engine.errors import BranchlineError
    from tui.launch import run_app, run_demo

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        return run_demo(None) if demo else run_app(state_dir(None, os.environ), None)
    except KeyboardInterrupt:
        return 130
    except (BranchlineError, OSError) as error:
        from engine.disk import explain
        from tui.cli.output import tell_error

        told = error if isinstance(error, BranchlineError) else explain(error, "could not go on")
        tell_error(told)
        return 1


if __name__ == "__main__":
    sys.exit(main())
