"""Read models that the commands, the web listener and ``--json`` show."""
