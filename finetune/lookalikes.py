"""Letters of other alphabets that look like Latin ones, and a tokenizer step that folds them.

An English word written with a Cyrillic letter is an unknown token to an English model, which is why
people write it so. The folding is part of the exported tokenizer.json: every reader of the model
folder gets it, and text in Latin letters passes unchanged.
"""

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


def fold_lookalikes(tokenizer: Tokenizer) -> None:
    """Put the folding before what the tokenizer does to its text already."""
    steps: list[normalizers.Normalizer] = [normalizers.NFKC(), normalizers.Lowercase()]
    for letter, others in LOOKALIKES.items():
        steps.append(normalizers.Replace(Regex(f"[{others.lower()}]"), letter))
    if tokenizer.normalizer is not None:
        steps.append(tokenizer.normalizer)
    tokenizer.normalizer = normalizers.Sequence(steps)
