"""The prompt language: text goes in and a `Scenario` comes out (`parse`); a scenario goes in and a caption comes out
(`describe`). The words are data: `vocabulary.json`, `grammar.json`, `phrases.json`."""

from worldgen.prompts.caption import describe, vocabulary
from worldgen.prompts.parser import ParsedPrompt, Understood, parse, parse_request
from worldgen.prompts.statements import Assumption

__all__ = ["Assumption", "ParsedPrompt", "Understood", "describe", "parse", "parse_request", "vocabulary"]
