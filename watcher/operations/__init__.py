"""Use cases of an operator, for the control socket and the command line."""
