"""Pure read models: the data of `status`, `check`, `route`, `doctor` and others, for the commands and ``--json``.

A report takes facts that its caller has read and returns data. It reads no file, clock, socket or database.
"""
