"""Use cases of an operator: silences, retry, drop, backup and invented histories, for socket and commands.

Each use case takes a port of the store and a typed request, and returns a typed result. JSON exists only at the edge:
``from_json`` reads a request, and a function such as ``changes_json`` writes a result.
"""
