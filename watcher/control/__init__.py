"""The running daemon's unix socket: one JSON line asks, one JSON line answers, for whoever may open the store.

The command line's changes go through it, since the daemon owns the store. The socket is made and replaced only while
the store's lock is held, so that what is found in its place is never a living daemon's of the same store.
"""
