"""Scenarios: several people talk to a real engine on real files, and what must hold is checked.

A scenario is a JSON5 file, `*.scenario.json5` (SPEC §14):

```json5
{
  name: "password-leak",              // default: the file's name
  about: "what it shows, in a sentence",
  seed: 1,                            // what is shuffled is shuffled the same way every time
  clock: "2026-01-01T09:00:00Z",      // a virtual clock; each message takes a second
  config: {session: {dmScope: "per-channel-peer"}},   // or the path of a config file

  users: {                            // who takes part, and as whom on which channel
    alice: {channel: "telegram", peer: "dm:111", name: "Alice"},
    bob: {name: "Bob", on: {
      telegram: {peer: "dm:222"},     // the name is the channel unless one is given
      work: {channel: "slack", account: "acme", peer: "dm:U2", team: "T1"},
    }},
  },

  steps: [
    {as: "alice", say: "my password is tulip", id: "m1"},
    {as: "bob", via: "work", peer: "channel:C1", thread: "7", mention: true, say: "…",
     expect: {request: {never: "tulip"}}},
    {atOnce: [{as: "alice", say: "…"}, {as: "bob", say: "…"}]},    // concurrently
    {reorder: [{as: "alice", say: "…"}, {as: "alice", say: "…"}]}, // one by one, shuffled
    {drop: {as: "alice", say: "…"}},  // lost on its way: never delivered
    {redeliver: "m1", times: 2},      // the channel delivers a message again
    {wait: "90m"}, {clock: "2026-02-01T00:00:00Z"},                // s, m, h, d
    {config: {session: {dmScope: "main"}}},                        // merged in; null removes
    {config: {…}, during: {as: "alice", say: "…"}},                // while her turn runs
    {undo: true},                     // the config before the last change
    {restart: true},
    {approve: "bob"}, {reject: "bob"},                             // pairing
  ],

  expect: {exposed: [["bob", "alice"]]},   // [reader, author] pairs, exactly these; [] for none
}
```

A step with `expect` of its own holds for its message: `agent`, `key`, `matchedBy`, `outcome`
(answered, context, command, duplicate, pairing, blocked, refused, error), `sameSession` and
`otherSession` (ids of earlier messages), `reply` and `request`, each with `contains`, `never`
(texts, case-insensitive) and `matches` (a regular expression). `say: "/new"` is a command.

`read_scenario` reads a file and names every problem with its line, `scenario_text` writes one;
`Stage` plays it, step by step; `run_scenario` plays all of it. `LiveTroupe` and `StageTroupe` let
a person speak as anybody, and keep what was done as a scenario; `matrix` tells who shares a memory.
"""
