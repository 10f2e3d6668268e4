"""Pictures of runs as SVG, for ``plot`` and web pages: pure, without a drawing library."""
