"""The demo: a sample state to look around in, and what was said in it."""
