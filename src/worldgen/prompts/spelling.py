"""Correction of typing mistakes towards the nearest known word."""

from __future__ import annotations

from functools import lru_cache


def edit_distance(word: str, other: str, limit: int) -> int:
    """Optimal string alignment distance, or ``limit + 1`` when it is larger.

    Source: Damerau (1964), restricted form as in Boytsov (2011).
    """
    if abs(len(word) - len(other)) > limit:
        return limit + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(word, 1):
        new = [i]
        for j, target in enumerate(other, 1):
            cost = min(row[j] + 1, new[j - 1] + 1, row[j - 1] + (letter != target))
            if i > 1 and j > 1 and letter == other[j - 2] and word[i - 2] == target:
                cost = min(cost, before[j - 2] + 1)
            new.append(cost)
        if min(new) > limit:
            return limit + 1
        before, row = row, new
    return row[-1]


class Speller:
    """Corrects single words towards the closed list ``words``; words of ``real_words`` are left as they are.

    Words of four letters are corrected only by swapping neighbours, since many of them are real words.
    """

    def __init__(self, words: frozenset[str], real_words: frozenset[str]):
        self.words, self.real_words = words, real_words
        self.by_letter: dict[str, list[str]] = {}
        for word in sorted(words):
            if len(word) >= 3 and word.isalpha():
                self.by_letter.setdefault(word[0], []).append(word)
        self.correct = lru_cache(maxsize=4096)(self._correct)

    def _correct(self, word: str) -> str | None:
        """The known word that ``word`` stands for, or None when no known word is near or ``word`` is a real word."""
        if word in self.words:
            return word
        if len(word) < 4 or len(word) > 24 or not word.isalpha() or word in self.real_words:
            return None
        if len(word) == 4:
            return self._swapped(word)
        limit = 2 if len(word) >= 8 else 1
        best, best_distance = None, limit + 1
        candidates = self.by_letter.get(word[0], []) + (self.by_letter.get(word[1], []) if word[1] != word[0] else [])
        for other in candidates:
            distance = edit_distance(word, other, min(limit, best_distance))
            if other[0] != word[0] and not (distance == 1 and other[0] == word[1] and other[1] == word[0]):
                continue
            # At equal distance a letter left out is likelier than a wrong one: "drivr" is driver rather than drive.
            if distance < best_distance or (distance == best_distance <= limit and len(other) > len(best or "")):
                best, best_distance = other, distance
        return best

    def _swapped(self, word: str) -> str | None:
        for i in range(len(word) - 1):
            other = word[:i] + word[i + 1] + word[i] + word[i + 2 :]
            if other in self.words:
                return other
        return None
