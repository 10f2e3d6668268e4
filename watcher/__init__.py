"""aitems-watcher: watch trainings on NAVER Cloud AiTEMS and alert the right people once."""

__version__ = "0.1.0"
