"""Who may use which command: one function decides and names its rule (SPEC §4).

The operator at the terminal is admin. Everybody else has the profile `user` of the SPEC's
default; profiles of one's own come with the access rules.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["USER_COMMANDS", "Permission", "Principal", "may_use"]

USER_COMMANDS = frozenset({"new", "help", "status"})
"""Commands of the default profile `user` (SPEC §4)."""


@dataclass(frozen=True, slots=True)
class Principal:
    """For whom something is done: the operator, or a person on a channel.

    `id` is unique among principals: `operator`, or `channel:account:peer`.
    """

    id: str
    name: str = ""

    @property
    def is_operator(self) -> bool:
        return self.id == "operator"


@dataclass(frozen=True, slots=True)
class Permission:
    """The decision and the rule it comes from."""

    allowed: bool
    rule: str


def may_use(principal: Principal, command: str) -> Permission:
    """Whether `principal` may run the slash command named (without its slash)."""
    if principal.is_operator:
        return Permission(True, "the operator at the terminal is admin")
    if command in USER_COMMANDS:
        return Permission(True, f"profile user allows /{command}")
    return Permission(False, f"profile user does not allow /{command}")
