"""The updates of interval services: asked for beside the polls of their lists."""
