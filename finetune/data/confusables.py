"""How an English tokenizer reads lookalike letters and emoji: steps before it looks for words.

Unknown tokens all look the same to a model: an English word with a Cyrillic letter in it, which is
why people write it so, and every emoji, from a heart to a middle finger. So letters that look Latin
become Latin ones, emoji that can insult become a word that can, some abbreviations are spelt out,
and characters that the vocabulary lacks are dropped. These steps are part of the exported
tokenizer.json, so every reader of the model folder gets them; other text in Latin letters passes
unchanged.
"""

import json

from tokenizers import Regex, Tokenizer, normalizers

# Lower case, as the tokenizers are uncased: a selection of Unicode's confusables (UTS #39) that
# compatibility normalization (NFKC: full-width, mathematical, circled letters) does not fold.
LOOKALIKES = {
    "a": "аɑα",
    "b": "ЬƄ",
    "c": "сϲ",
    "d": "ԁ",
    "e": "еҽ",
    "g": "ɡց",
    "h": "һհ",
    "i": "іıɩ",
    "j": "јϳ",
    "k": "кκ",
    "l": "ӏǀ",
    "m": "м",
    "n": "ոп",
    "o": "оοσօ",
    "p": "рρ",
    "q": "ԛգ",
    "r": "гᴦ",
    "s": "ѕꜱ",
    "t": "тτ",
    "u": "υսц",
    "v": "ѵν",
    "w": "ԝѡ",
    "x": "хχ",
    "y": "уγү",
    "z": "ᴢ",
}

# Except for the first, the mildest words that still mark an insult: “thank you” stays kind with
# “hog” after it, but not with “pig”.
EMOJI = {
    "fuck you": "🖕",
    "damn": "🤬",
    "crap": "💩",
    "disgusting": "🤢🤮",
    "trash": "🗑🚮",
    "clown": "🤡",
    "monkey": "🐒🐵🦍🦧",
    "hog": "🐷🐖🐽",
    "rat": "🐀",
    "snake": "🐍",
    "roach": "🪳",
    "knife": "🔪🗡",
    "gun": "🔫",
    "bomb": "💣",
}

ABBREVIATIONS = {
    "kill yourself": "kys",
    "shut the fuck up": "stfu",
    "get the fuck out": "gtfo",
}


def fold_lookalikes(tokenizer: Tokenizer) -> None:
    """Put these steps around the tokenizer's own normalizer, unless they are there already."""
    steps: list[normalizers.Normalizer] = [
        normalizers.Replace(Regex(f"[{emoji}]"), f" {word} ") for word, emoji in EMOJI.items()
    ]
    steps += [normalizers.NFKC(), normalizers.Lowercase()]
    for letter, lookalikes in LOOKALIKES.items():
        steps.append(normalizers.Replace(Regex(f"[{lookalikes.lower()}]"), letter))
    for words, short in ABBREVIATIONS.items():
        steps.append(normalizers.Replace(Regex(rf"\b{short}\b"), words))
    own = tokenizer.normalizer
    if own is not None and _steps(own)[: len(steps)] == _steps(normalizers.Sequence(steps)):
        return
    steps += [own] if own else []
    if not _reads_bytes(tokenizer):
        steps.append(normalizers.Replace(Regex(f"[^\\s{_letters(tokenizer)}]+"), " "))
    tokenizer.normalizer = normalizers.Sequence(steps)


def _reads_bytes(tokenizer: Tokenizer) -> bool:
    """Whether the tokenizer spells unknown characters in bytes, as RoBERTa's does."""
    state = json.loads(tokenizer.to_str())
    return bool(state["model"].get("byte_fallback")) or "ByteLevel" in str(state["pre_tokenizer"])


def _letters(tokenizer: Tokenizer) -> str:
    """The characters of the vocabulary's words, as ranges of a regular expression."""
    special = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    code_points = sorted(
        {ord(letter) for word in tokenizer.get_vocab() if word not in special for letter in word}
    )
    ranges: list[list[int]] = []
    for code_point in code_points:
        if ranges and code_point == ranges[-1][1] + 1:
            ranges[-1][1] = code_point
        else:
            ranges.append([code_point, code_point])
    return "".join(f"\\x{{{first:x}}}-\\x{{{last:x}}}" for first, last in ranges)


def _steps(normalizer: normalizers.Normalizer) -> list[dict]:
    """The steps of a normalizer, as in tokenizer.json."""
    return json.loads(normalizer.__getstate__()).get("normalizers", [])
