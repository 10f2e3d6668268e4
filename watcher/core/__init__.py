"""All decisions, as pure functions of frozen facts; without clock, sleep, randomness, logging or I/O."""
