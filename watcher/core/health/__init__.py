"""Health of the watcher: liveness of its loops, and readiness."""
