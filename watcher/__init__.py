"""aitems-watcher: watches trainings on NAVER Cloud AiTEMS and tells the right people once."""

__version__ = "0.1.0"
