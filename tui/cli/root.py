"""The root of the command line, and the one place where its errors become exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from engine._version import __version__
from engine.errors import BranchlineError
from tui.cli.lazy import LazyGroup
from tui.cli.output import tell_error, warn
from tui.cli.place import here, place_options

__all__ = ["cli", "run"]

COMMANDS = {
    "send": "tui.cli.send:send",
    "sessions": "tui.cli.sessions:sessions",
    "route": "tui.cli.route:route",
    "agents": "tui.cli.agents:agents",
    "models": "tui.cli.models:models",
    "config": "tui.cli.config:config",
    "simulate": "tui.cli.simulate:simulate",
    "pairing": "tui.cli.pairing:pairing",
    "doctor": "tui.cli.doctor:doctor",
    "completion": "tui.cli.completion:completion",
}

PROBLEM, USAGE, INTERRUPTED, PIPE_CLOSED = 1, 2, 130, 141


@click.group(
    cls=LazyGroup,
    places=COMMANDS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@place_options
@click.option(
    "--demo",
    is_flag=True,
    help="Look around in a sample state with a tour. It is removed at the end; with --state-dir "
    "it is made there and stays.",
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context, demo: bool) -> int | None:
    """Branchline: routed sessions, branching transcripts, visible context.

    Without a command, the app.
    """
    place = here()
    if demo and (ctx.invoked_subcommand is not None or place.config_option):
        raise click.UsageError("--demo goes with no command and no --config: it has its own")
    if ctx.invoked_subcommand is not None:
        return None
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError(
            "the app needs a terminal; from a script, use `branchline send` or another command"
        )
    from tui.launch import run_app, run_demo

    if demo:
        return run_demo(place.state_dir if place.state_option else None)
    return run_app(place.state_dir, place.config_for_engine())


def _tell_usage(error: click.ClickException) -> None:
    """Click's message, with the usage line and without raw control characters."""
    if isinstance(error, click.UsageError) and error.ctx is not None:
        hint = f"Try `{error.ctx.command_path} --help`"
        told = error.format_message().rstrip(".")
        warn(f"{told} {hint}" if told.endswith("?") else f"{told}. {hint}")
    else:
        warn(error.format_message())


def _quiet_pipe() -> None:
    """Nobody reads any more: what is still in the buffer must not complain at exit."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())


def _invoke(args: Sequence[str]) -> int:
    try:
        if "_BRANCHLINE_COMPLETE" in os.environ:
            cli.main(list(args), prog_name="branchline")
        # Not main(): it turns a closed pipe into exit code 1.
        with cli.make_context("branchline", list(args)) as ctx:
            code = cli.invoke(ctx)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.UsageError as error:
        _tell_usage(error)
        return USAGE
    except click.ClickException as error:
        _tell_usage(error)
        return PROBLEM
    except BranchlineError as error:
        tell_error(error)
        return PROBLEM


def run(args: Sequence[str]) -> int:
    """Run a command line (without the program's name).

    Returns:
        0, 1 for a problem, 2 for wrong usage, 130 after Ctrl-C, 141 when nobody reads any more.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        return _invoke(args)
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        _quiet_pipe()
        return PIPE_CLOSED
    except OSError as error:
        from engine.disk import explain

        tell_error(explain(error, "could not go on"))
        return PROBLEM
