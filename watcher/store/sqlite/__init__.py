"""Storage in one SQLite file: connections, lock, integrity, backups and disk space."""
