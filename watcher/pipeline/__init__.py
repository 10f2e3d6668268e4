"""The stages of the pipeline: each takes due rows, asks a pure function, and writes the next rows at once."""
