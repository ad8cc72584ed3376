"""Branchline's engine: routing, sessions, context, models and turns, without a screen."""
