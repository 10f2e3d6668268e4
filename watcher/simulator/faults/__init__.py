"""Everything that the simulator can do wrong: which faults there are, when one strikes, and what it then does."""
