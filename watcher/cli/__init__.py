"""The command line: one module per command or group; heavy modules are imported inside the commands that need them."""
