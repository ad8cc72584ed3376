"""`branchline completion`: the script that teaches a shell our commands."""

from __future__ import annotations

import sys

import click

__all__ = ["completion"]

_WHERE = {
    "bash": 'eval "$(branchline completion bash)"   in ~/.bashrc',
    "zsh": 'eval "$(branchline completion zsh)"   in ~/.zshrc',
    "fish": "branchline completion fish > ~/.config/fish/completions/branchline.fish",
}


@click.command(epilog="\b\n" + "\n".join(_WHERE.values()))
@click.argument("shell", type=click.Choice(list(_WHERE)))
def completion(shell: str) -> None:
    """Print the completion script of a shell."""
    from click.shell_completion import get_completion_class

    from tui.cli.root import cli

    kind = get_completion_class(shell)
    assert kind is not None
    made = kind(cli, {}, "branchline", "_BRANCHLINE_COMPLETE")
    # Not source(): it starts a shell to look at its version.
    sys.stdout.write(made.source_template % made.source_vars() + "\n")
