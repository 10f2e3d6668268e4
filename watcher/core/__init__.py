"""The part that decides: pure functions and frozen facts; no clock, sleep, randomness, logging or I/O."""
