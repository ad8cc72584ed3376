"""The config file that the first run writes: short, commented, with examples to switch on.

A line that begins with `//` and no space is an example: taking the two slashes away makes it
part of the config. Every example is valid by itself and all are together; a test takes the
slashes away and loads them.
"""

from __future__ import annotations

from pathlib import Path

from engine.disk import Disk, ensure_dir, write_atomic

__all__ = ["FIRST_CONFIG", "write_first_config"]

FIRST_CONFIG = """\
// Branchline's config (JSON5: comments and trailing commas are welcome).
//
// A line that begins with // and no space is an example: take the slashes away to use it.
// `branchline config check` finds mistakes; `branchline config schema` explains every key.
{
  // Who answers. Messages that no binding claims go to the agent marked `default`.
  agents: {
    list: [
      { id: "main", default: true },
      //{ id: "coder", model: "anthropic/claude-opus-5-5" },
    ],
    // The model for agents that name none. Without it: the first provider whose key is set in
    // the environment, else the offline model, which is built in and needs nothing.
    //defaults: { model: { primary: "openai/gpt-5.6", fallbacks: ["ollama/qwen3:8b"] } },
  },

  // Connecting a model. A key in the environment is enough for Anthropic and OpenAI:
  //   export ANTHROPIC_API_KEY=…   or   export OPENAI_API_KEY=…
  // Entries here are for other keys, servers and names.
  //models: {
    //providers: {
      //anthropic: { apiKey: "${ANTHROPIC_API_KEY}" },
      //openai: { apiKey: "${OPENAI_API_KEY}" },
      //ollama: { baseUrl: "${OLLAMA_HOST:-http://127.0.0.1:11434}" },
    //},
    //aliases: { smart: "anthropic/claude-opus-5-5", quick: "anthropic/claude-haiku-5-5" },
  //},

  // How conversations are told apart. dmScope:
  //   main                      all direct messages share one conversation: everybody's words
  //                             can come up in everybody's answers
  //   per-peer                  one for each person, the same on every channel
  //   per-channel-peer          one for each person on each channel
  //   per-account-channel-peer  and one more for each of your accounts there
  session: {
    dmScope: "per-channel-peer",
    // One person, known by several ids:
    //identityLinks: { alice: ["telegram:111", "discord:222"] },
    // When a conversation is over; the next message begins anew, what was is kept and listed.
    //reset: { mode: "daily", atHour: 4 },
    // What goes to the trash by itself; named and labelled sessions never do.
    //maintenance: { pruneAfterDays: 90, diskBudget: "2GB", trashDays: 30 },
  },

  // Which messages go to which agent. The most specific one wins; without accountId only the
  // account `default` matches, "*" is any.
  //bindings: [
    //{ agentId: "main", match: { channel: "discord", guildId: "123456789" } },
    //{ agentId: "main", match: { channel: "telegram", accountId: "*" } },
    //{ agentId: "main", match: { channel: "telegram", peer: { kind: "dm", id: "111" } } },
  //],

  // How much of the past a model gets to see, besides what compaction kept. 0: no limit.
  //history: {
    //dm: { maxMessages: 100, maxTokens: 32000 },
    //group: { maxMessages: 30, maxTokens: 8000 },
  //},

  // When long sessions are folded into a summary (nothing is lost: the entries stay).
  //compaction: {
    //threshold: 0.85, // part of the model's window
    //preserveRecent: 10, // messages never folded
    //summaryMaxTokens: 1024,
  //},
}
"""


def write_first_config(disk: Disk, path: Path) -> bool:
    """Write the first config, 0600 in a folder 0700; a file that is there stays as it is.

    Returns:
        Whether it was written.

    Raises:
        OSError: it could not be; nothing is left half written.
    """
    if path.is_symlink() or path.exists():
        return False
    ensure_dir(disk, path.parent)
    write_atomic(disk, path, FIRST_CONFIG.encode("utf-8"))
    return True
