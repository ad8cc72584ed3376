"""Where a command works: the state dir and the config, from options given anywhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from engine.config.paths import config_path, state_dir

if TYPE_CHECKING:
    from engine.config.load import Loaded
    from engine.config.schema import Config

__all__ = ["Place", "here", "json_option", "place_options"]

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(slots=True)
class Place:
    """The options as given. They may stand before or after the command's name."""

    state_option: str | None = None
    config_option: str | None = None

    @property
    def state_dir(self) -> Path:
        return state_dir(self.state_option, os.environ)

    @property
    def config_path(self) -> Path:
        return config_path(self.config_option, self.state_dir, os.environ)

    def config_for_engine(self) -> Path | None:
        """The config file to open an engine with: None lets it look for itself, and write a
        first one where there is none.

        Raises:
            ConfigError: the file that `--config` names does not exist.
        """
        if not self.config_option:
            return None
        path = self.config_path
        if not os.path.lexists(path):
            self.config()
        return path

    def load(self) -> Loaded:
        """Read the config; without a file, the defaults, unless `--config` names it."""
        from engine.config.load import Loaded, load_config
        from engine.config.schema import Config
        from engine.disk import Disk

        path = self.config_path
        if not self.config_option and not os.path.lexists(path):
            return Loaded(Config(), (), path=path)
        return load_config(Disk(), path, os.environ)

    def config(self) -> Config:
        """The config in force.

        Raises:
            ConfigError: the file cannot be used.
        """
        return self.load().require()


def here() -> Place:
    """The place of the command that runs."""
    root = click.get_current_context().find_root()
    return root.ensure_object(Place)


def _keep(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value is not None:
        setattr(ctx.find_root().ensure_object(Place), f"{param.name}_option", value)


def place_options(function: F) -> F:
    """Add `--state-dir` and `--config`; `here()` holds what they say."""
    config = click.option(
        "--config",
        "config",
        metavar="FILE",
        expose_value=False,
        callback=_keep,
        help="Config file. Default: branchline.json5 in the state dir.",
    )
    state = click.option(
        "--state-dir",
        "state",
        metavar="DIR",
        expose_value=False,
        callback=_keep,
        help="State dir. Default: $BRANCHLINE_STATE_DIR, else ~/.branchline.",
    )
    return state(config(function))


def json_option(function: F) -> F:
    """Add `--json`, given to the command as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)
