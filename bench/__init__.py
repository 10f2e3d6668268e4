"""The benchmark: each figure of docs/performance.md beside a peer or a yardstick of the same minutes."""
