"""The pipeline: stages that take due rows, ask a pure function, and write the next rows in one transaction."""
