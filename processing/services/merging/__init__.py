"""Joining the chunks of a recording so that no word is lost or doubled: calculators only."""
