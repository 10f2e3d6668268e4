"""The parts of wait."""
