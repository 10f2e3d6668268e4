"""The daemon's unix socket: one JSON line as the request, one as the response.

The commands send their changes over it, because the daemon owns the store. Only the daemon's user may connect. A daemon
makes or replaces the socket only while it holds the store's lock, so it never removes the socket of a running daemon of
the same store.
"""
