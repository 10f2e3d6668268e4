"""The API ``/api/v1``: the data of the commands' ``--json``, for programs that ask over HTTP."""
