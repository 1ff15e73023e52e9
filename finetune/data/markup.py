"""Markup that platforms show as formatting, read as readers see it: patterns and replacements.

HTML tags, BBCode, Markdown's links, code, emphasis and spoilers, and HTML's character references.
Steps of a tokenizer can only replace a match by a fixed text. So a pair of signs takes two steps:
the first sign, where a second one follows, becomes a mark; the second, where a mark is before it,
goes. The marks, of Unicode's private use area, go at the end.

Text that only looks like markup stays: “a < b > c”, vector<int>, 2*3*4, snake_case, f**k, a || b.
Every repetition is bounded or stops at the next sign of its kind, so a step takes linear time.
"""

from collections.abc import Iterator
from html.entities import html5

INLINE_TAGS = (
    "a|abbr|acronym|b|bdi|bdo|big|cite|code|data|del|dfn|em|font|i|ins|kbd|label|mark|q|s|samp|"
    "small|span|strike|strong|sub|sup|time|tt|u|var|wbr"
)
BLOCK_TAGS = (
    "address|article|aside|blockquote|body|br|button|caption|center|dd|details|div|dl|dt|"
    "figcaption|figure|footer|form|h[1-6]|head|header|hr|html|iframe|img|li|main|nav|ol|p|picture|"
    "pre|section|source|summary|svg|table|tbody|td|tfoot|th|thead|tr|ul|video"
)
ATTRIBUTES = r"(?:\s{1,20}[\w:.-]{1,60}\s?=\s?[^<>]{1,2000}|\s{0,20}/?)"

INLINE_CODES = (
    "b|i|u|s|em|strong|strike|color|colour|size|font|url|email|user|spoiler|spoil|sub|sup"
)
BLOCK_CODES = "quote|code|list|li|center|left|right|justify|img|details|hide|table|tr|td|th|youtube"
VALUE = r"(?:=[^\[\]\n]{0,300})?"

# (https://example.com/page_(film)?a=b "title"): in a[0](x) the brackets are an index and a call.
LINK = (
    r"\((?:[A-Za-z][A-Za-z+.-]{1,20}:|www\.|[./#<])"
    r"[^\s()]{0,500}(?:\([^\s()]{0,200}\)[^\s()]{0,200})?"
    r"""(?: ["'(][^"'()\n]{0,200}["')])?\)"""
)
LINKED = "\ue000"  # the marks
PAIRED = {sign: chr(0xE001 + number) for number, sign in enumerate("~|`_*")}
MARKS = LINKED + "".join(PAIRED.values())

LETTERS = r"\p{L}\p{M}\p{N}"

# What a character reference stands for, as &#33; &#x21; &excl; for an exclamation mark.
SIGNS = {sign: sign for sign in "0123456789!$*,./:?@()<>"}
SIGNS |= {"'": "'‘’", '"': '"“”„«»', "-": "-–—", "...": "…"}
RARE = "#%+;=[\\]^_`{|}~•"  # read as a space, for fewer steps
INVISIBLE = "\xad\u200b\u200c\u200d\u2060\ufeff"


def markup() -> Iterator[tuple[str, str]]:
    """Regular expressions (Oniguruma) of markup, and what readers see in their place; in order."""
    yield (
        rf"<!--[^<>]{{0,1000}}-->|(?i:</?(?:{INLINE_TAGS}){ATTRIBUTES}>"
        # In a[i] the brackets are an index; in word[b]...[/b] they are formatting.
        rf"|(?<![\w\])])\[(?:{INLINE_CODES}){VALUE}\]"
        rf"|\[(?:{INLINE_CODES}){VALUE}\](?=\w|\[/)|\[/(?:{INLINE_CODES})\])",
        "",
    )
    yield (
        rf"(?i:</?(?:{BLOCK_TAGS}){ATTRIBUTES}>|\[/?(?:{BLOCK_CODES}){VALUE}\])"
        r"|```(?:[\w+#.-]{1,30}(?=\r?\n))?|^~~~[\w+#.-]{0,30}(?=\r?\n)",
        "\n",
    )
    yield r"<(?:a?:\w{2,32}:|@[!&]?|#)\d{15,21}>", " "  # Discord's emoji and mentions
    yield rf"!?\[(?=[^\[\]\n]{{1,500}}\]{LINK})", LINKED
    yield rf"{LINKED}[^\[\]\n{LINKED}]{{1,500}}\K\]{LINK}", ""
    yield from _pairs("~~")
    yield from _pairs("||")
    yield from _pairs("`")
    yield from _pairs("_")
    yield from _pairs("__")
    yield from _pairs("*")
    yield from _pairs("**")
    # Last, Reddit's spoilers and the backslash before a sign that is meant literally.
    yield rf"[{MARKS}]|>!(?=\S)|(?<=\S)!<|\\(?=[*_~|`])", ""


def references() -> Iterator[tuple[str, str]]:
    """The patterns of HTML's references to characters other than letters, and what they mean."""
    yield reference(INVISIBLE), ""
    for sign, characters in SIGNS.items():
        yield reference(characters), sign
    yield reference(" \xa0" + RARE), " "
    yield reference("\n\r"), "\n"
    yield reference("&"), "&"  # the last: &amp;lt; is shown as &lt;


def reference(characters: str) -> str:
    """The pattern of references to any of these: by number, as &#33; and &#x21;, or by name."""
    decimal = "|".join(str(ord(character)) for character in characters)
    hexadecimal = "|".join(f"{ord(character):x}" for character in characters)
    names = sorted(
        name[:-1]
        for name, meant in html5.items()
        if name.endswith(";") and len(name) <= 8 and meant in set(characters)
    )
    numeric = rf"#(?:0{{0,5}}(?:{decimal})|(?i:x0{{0,5}}(?:{hexadecimal})))"
    return f"&(?:{'|'.join([numeric, *names])});"


def _pairs(sign: str) -> Iterator[tuple[str, str]]:
    """Take a sign away where it is in pairs around words, or around a part of a word.

    ** and __ in a word stay where they stand for letters (“f**k this s**t”); * stays between
    letters on both sides (2*3*4), and _ everywhere in a word (snake_case).
    """
    end = sign[0]
    repeated = {"~~": "~~", "||": r"\|\|", "`": "`{1,2}", "__": "_{2,3}", "**": r"\*{2,3}"}
    signs = repeated.get(sign, rf"[{sign}]")
    shown = rf"[^{end}\s]"
    phrase = rf"{shown}(?:[^{end}\n]{{0,500}}{shown})?{signs}"
    part = rf"(?!\p{{N}}{{1,40}}[{end}])[{LETTERS}]{{1,40}}[.,;:!?]{{0,3}}{signs}"
    before, before_word = rf"(?<![{end}\\])", rf"(?<![{LETTERS}{end}\\])"
    after, after_word = f"(?![{end}])", f"(?![{LETTERS}{end}])"
    around_words = f"{before_word}{signs}(?={phrase}{after_word})"
    first = {
        "_": around_words,
        "*": f"{around_words}|{before_word}{signs}(?={part}{after})"
        f"|{before}{signs}(?={part}{after_word})",
        "__": f"{around_words}|{before}{signs}(?={part}{after})",
        "**": f"{around_words}|{before}{signs}(?={part}{after})",
    }
    mark = PAIRED[end]
    yield first.get(sign, f"{before}{signs}(?={phrase}{after})"), mark
    yield rf"{mark}[^{end}\n{mark}]{{1,502}}\K{signs}{after}", ""
