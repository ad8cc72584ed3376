from __future__ import annotations

from engine import Engine
from engine.rights.company import Company, company_of
from engine.rights.sharing import Sharing
from tests.engine.conftest import Open, answer, dm, said

MAIN = '{session: {dmScope: "main"}}'
APART = '{session: {dmScope: "per-channel-peer"}}'


async def company(engine: Engine, key: str) -> Company:
    view = await engine.view(key)
    return company_of(view.window, Sharing(engine.config), key)


async def test_people_are_counted_and_the_rule_that_mixes_them_is_named(open_engine: Open) -> None:
    async with open_engine(MAIN) as engine:
        await answer(engine, dm("alice", "one"))
        await answer(engine, dm("alice", "two"))
        await answer(engine, dm("bob", "three"))
        found = await company(engine, "agent:main:main")
        assert [(one.name, one.messages, one.direct) for one in found.members] == [
            ("Alice", 2, True),
            ("Bob", 1, True),
        ]
        assert found.mixed and found.exposed
        [share] = found.shares
        assert (share.verdict, share.rule, share.pairs) == ("exposed", "shared by dmScope main", 2)


async def test_one_person_alone_shares_with_nobody(open_engine: Open) -> None:
    async with open_engine(APART) as engine:
        await answer(engine, dm("alice", "one"))
        await answer(engine, dm("bob", "two"))
        found = await company(engine, "agent:main:telegram:dm:alice")
        assert [one.name for one in found.members] == ["Alice"]
        assert not found.mixed and not found.exposed and found.shares == ()


async def test_the_same_words_are_judged_by_the_config_in_force(open_engine: Open) -> None:
    async with open_engine(MAIN) as engine:
        await answer(engine, dm("alice", "one"))
        await answer(engine, dm("bob", "two"))
        await engine.set_scope("per-channel-peer")
        found = await company(engine, "agent:main:main")
        assert {share.verdict for share in found.shares} == {"refused"}


async def test_the_operator_reads_all_and_is_no_direct_message(open_engine: Open) -> None:
    async with open_engine(APART) as engine:
        await answer(engine, said("mine"))
        found = await company(engine, "agent:main:main")
        assert [(one.principal, one.direct) for one in found.members] == [("operator", False)]
        assert found.shares == ()
