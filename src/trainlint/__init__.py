"""Static analysis of LLM training configurations."""

__version__ = "0.1.0"
