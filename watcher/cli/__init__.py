"""The command line: one file a command or family; what is heavy is imported inside the command that needs it."""
