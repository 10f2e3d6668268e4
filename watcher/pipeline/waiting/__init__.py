"""Waiting for the end of one training, on top of the polls of a poller."""
