"""The prompt language: words to scenarios and scenarios to phrases."""

from worldgen.prompts.caption import describe, vocabulary
from worldgen.prompts.parser import Assumption, ParsedPrompt, Understood, parse

__all__ = ["Assumption", "ParsedPrompt", "Understood", "describe", "parse", "vocabulary"]
