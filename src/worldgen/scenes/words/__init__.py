"""The prompt language: words to scenarios and scenarios to captions."""

from worldgen.scenes.words.describe import describe, vocabulary
from worldgen.scenes.words.parse import Assumption, ParsedPrompt, Understood, parse

__all__ = ["Assumption", "ParsedPrompt", "Understood", "describe", "parse", "vocabulary"]
