"""The faults of the simulator: their kinds, their schedule, and their effects."""
