"""The prompt language: words to scenarios and scenarios to phrases."""

from worldgen.scenes.words.caption import describe, vocabulary
from worldgen.scenes.words.prompt import Assumption, ParsedPrompt, Understood, parse

__all__ = ["Assumption", "ParsedPrompt", "Understood", "describe", "parse", "vocabulary"]
