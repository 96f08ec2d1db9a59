"""A reader of HTML pages for tests: tags, texts and references, and whether every element closes."""

from __future__ import annotations

from html.parser import HTMLParser


class HtmlPage(HTMLParser):
    """tags: (name, attributes) in order. references: targets of links. texts, scripts: outside and in scripts."""

    VOID = frozenset({"meta", "input", "br", "img", "link", "hr"})

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.open, self.references, self.texts, self.scripts = [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.references += [value for name, value in attributes if name in ("src", "href", "poster")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data):
        (self.scripts if self.open[-1:] == ["script"] else self.texts).append(data)
