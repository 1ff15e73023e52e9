"""Letters of other alphabets that look like Latin ones, and a tokenizer step that folds them.

An English word written with a Cyrillic letter is an unknown token to an English model, which is why
people write it so. The folding is part of the exported tokenizer.json: every reader of the model
folder gets it, and text in Latin letters passes unchanged.
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


def fold_lookalikes(tokenizer: Tokenizer) -> None:
    """Put the folding before what the tokenizer does to its text already, unless it is there."""
    steps: list[normalizers.Normalizer] = [normalizers.NFKC(), normalizers.Lowercase()]
    for letter, others in LOOKALIKES.items():
        steps.append(normalizers.Replace(Regex(f"[{others.lower()}]"), letter))
    folding = normalizers.Sequence(steps)
    if tokenizer.normalizer is not None:
        if _steps(tokenizer.normalizer)[: len(steps)] == _steps(folding):
            return
        folding = normalizers.Sequence([*steps, tokenizer.normalizer])
    tokenizer.normalizer = folding


def _steps(normalizer: normalizers.Normalizer) -> list[dict]:
    """Tell what a normalizer does, step by step, as tokenizer.json has it."""
    return json.loads(normalizer.__getstate__()).get("normalizers", [])
