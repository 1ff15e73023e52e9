"""What an English tokenizer reads of a text: steps before it looks for words.

Unknown tokens all look the same to a model: an English word with a Cyrillic letter in it, which is
why people write it so, and every emoji, from a heart to a middle finger. So letters that look Latin
become Latin ones, markup is left out where readers do not see it, emoji that can insult become a
word that can, some abbreviations are spelt out, and characters that the vocabulary lacks are
dropped. These steps are part of the exported tokenizer.json, so every reader of the model folder
gets them; plain text in Latin letters passes unchanged.

    python -m finetune.data.confusables models/NAME     # the steps of today, in an older model

Letters upside down, and words written backwards, are not turned.
"""

import argparse
import json
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from string import ascii_letters, ascii_lowercase

from tokenizers import Regex, Tokenizer, normalizers
from tokenizers.models import WordLevel

from comment_toxicity.cli import run
from comment_toxicity.disk import write_whole
from comment_toxicity.errors import ModelError
from finetune.data.markup import markup, reference, references

# A selection of Unicode's confusables (UTS #39) that compatibility normalization (NFKC: full-width,
# mathematical, circled letters) does not fold; their capitals are read alike.
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

# Letters that are styled Latin ones by their Unicode name (small capitals), or whose capital or
# small letter alone looks Latin (UTS #39). Other than LOOKALIKES, no noise is made of them.
STYLED = {
    "a": "ᴀᎪꓮ⍺",
    "b": "ʙвΒВᏴᏏꓐ",
    "c": "ᴄᏟꮯⲤⲥꓚ",
    "d": "ᴅᎠꓓ",
    "e": "ᴇєЄΕᎬꓰꬲ",
    "f": "ꜰϜƒꞙꬵꓝ",
    "g": "ɢԌᏀᏳꓖᶃ",
    "h": "ʜнΗНᎻᏂⲎꓧ",
    "i": "ɪιΙᎥꭵꙇ⍳ꓲ",
    "j": "ᴊᎫꓙ",
    "k": "ᴋᏦⲔꓗ",
    "l": "ʟᏞⳐꓡ",
    "m": "ᴍΜᎷⲘꓟϺ",
    "n": "ɴηΝⲚꓠռ",
    "o": "ᴏⲞⲟꓳꬽ",
    "p": "ᴘᏢⲢⲣꓑϱ⍴",
    "q": "ꞯզ",
    "r": "ʀƦᎡᏒꓣꭇⲅꮁ",
    "s": "ᏚꮪꓢՏ",
    "t": "ᴛᎢⲦꓔ",
    "u": "ᴜʋꓴꞟꭒ",
    "v": "ᴠᏙꮩꓦ",
    "w": "ᴡᎳᏔꮃաɯꓪ",
    "x": "ⲬꓫꞳ",
    "y": "ʏΥϒᎩᎽⲨꓬɣỿ",
    "z": "ΖᏃꮓꓜ",
}

# The A of alphabets that NFKC does not fold to the letter alone: parenthesized (small, capital),
# negative circled, negative squared, regional indicators.
ALPHABETS = "⒜🄐🅐🅰🇦"

# The blocks of phonetic extensions and mathematical letters: some are Greek or small capitals.
COMPATIBLE = (range(0x1D2C, 0x1DC0), range(0x2071, 0x209D), range(0x1D400, 0x1D800))

DROPPED = r"[^\s"  # so the pattern of the last step begins
REGIONAL = "\U0001f1e6-\U0001f1ff"
FLAG = f"[{REGIONAL}]"  # a regional indicator: two make a flag

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
    """Put these steps around the tokenizer's own normalizer, in place of those of an older version.

    A second call changes nothing.
    """
    own = _own(tokenizer.normalizer)
    steps = list(_reading())
    if own is not None:
        steps.append(own)
    if not _reads_bytes(tokenizer):
        steps.append(normalizers.Replace(Regex(f"{DROPPED}{_letters(tokenizer)}]+"), " "))
    tokenizer.normalizer = normalizers.Sequence(steps)


def main() -> None:
    """Bring the steps of a model folder's tokenizer.json up to date; the weights stay."""
    parser = argparse.ArgumentParser(
        prog="python -m finetune.data.confusables",
        description="Write today's reading of lookalike letters, markup and emoji into the "
        "tokenizer.json of model folders. The weights stay; scores of such texts change, so "
        "evaluate the model again.",
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="a model's folder")
    for folder in parser.parse_args().folders:
        path = folder / "tokenizer.json"
        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises no other class
            raise ModelError(f"{path}: cannot be read ({error}); give a model's folder.") from None
        before = tokenizer.to_str()
        fold_lookalikes(tokenizer)
        if tokenizer.to_str() == before:
            print(f"{path}: up to date")
        else:
            write_whole(path, tokenizer.to_str(pretty=True))
            print(f"{path}: written")


def _reading() -> Iterator[normalizers.Normalizer]:
    """The steps before the tokenizer's own, in order. Each takes time linear in the text."""
    for pattern, content in (*markup(), *references()):
        yield normalizers.Replace(Regex(pattern), content)
    for word, emoji in EMOJI.items():
        yield normalizers.Replace(Regex(f"[{emoji}]|{reference(emoji)}"), f" {word} ")
    # A flag is two regional indicators alone. Letters are spaced, or more than two in a row.
    yield normalizers.Replace(Regex(f"(?<!{FLAG}){FLAG}{{2}}(?!{FLAG})"), " ")
    spaced = f"(?<=^{FLAG}|[^{REGIONAL}]{FLAG})[ \u200b-\u200d\u2060](?={FLAG}(?!{FLAG}))"
    yield normalizers.Replace(Regex(spaced), "")
    for letter in ascii_lowercase:
        characters = letter + letter.upper() + alike(letter)
        yield normalizers.Replace(Regex(f"[{alike(letter)}]|{reference(characters)}"), letter)
    yield normalizers.NFKC()
    yield normalizers.Lowercase()
    for words, short in ABBREVIATIONS.items():
        yield normalizers.Replace(Regex(rf"\b{short}\b"), words)


def alike(letter: str) -> str:
    """The characters that are read as a small Latin letter, except those that NFKC makes it."""
    others = {character for other, row in STYLED.items() if other != letter for character in row}
    cases = {case for character in LOOKALIKES.get(letter, "") for case in _cases(character)}
    same = (cases - others) | set(STYLED.get(letter, ""))
    compatible = {
        character
        for block in COMPATIBLE
        for character in map(chr, block)
        if unicodedata.normalize("NFKC", character) in same
    }
    number = ascii_lowercase.index(letter)
    alphabets = {chr(ord(first) + number) for first in ALPHABETS}
    return "".join(sorted(same | compatible | alphabets))


def _cases(character: str) -> set[str]:
    return {character, character.lower(), character.upper()} - set(ascii_letters)


def _own(normalizer: normalizers.Normalizer | None) -> normalizers.Normalizer | None:
    """The tokenizer's own normalizer, without the steps around it: those before it end with the
    abbreviations, and one may be after it.
    """
    if normalizer is None:
        return None
    last = rf"\b{[*ABBREVIATIONS.values()][-1]}\b"
    steps = _steps(normalizer)
    ours = [n for n, step in enumerate(steps) if step.get("pattern") == {"Regex": last}]
    if not ours:
        return normalizer
    after = [step for step in steps[ours[-1] + 1 :] if not _drops(step)]
    state: dict[str, object] = {
        "version": "1.0",
        "normalizer": after[0] if after else None,
        "added_tokens": [],
    }
    bare = json.loads(Tokenizer(WordLevel({}, unk_token="")).to_str())
    return Tokenizer.from_str(json.dumps(bare | state)).normalizer


def _drops(step: dict) -> bool:
    """Whether a step is the last one, which drops what the vocabulary has no letter for."""
    return step["type"] == "Replace" and step["pattern"].get("Regex", "").startswith(DROPPED)


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


if __name__ == "__main__":
    sys.exit(run(main))
