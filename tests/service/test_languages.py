"""Language detection: certain, or silent. No plain English comment may be refused."""

import csv
from pathlib import Path

import pytest

from comment_toxicity import load_classifier
from comment_toxicity.languages import LanguageDetector

SAMPLE = Path(__file__).parents[2] / "data" / "sample.csv"

SLANG = """
u suck|lol|lmao ur so dumb|gtfo|stfu noob|wtf bro|ok|no|idiot|you idiot|die|go die in a hole|gg ez
imma slap u|y r u gay|tf is dis|trash|damn|ez noob lmao|dat boi sus|aight|yall dumb af|hes mad lol
rekt|f u|fuk u|sh*t|a$$hole|sup dawg|simp|ratio + L|cringe|yeet|poggers|sus|delulu|no cap fr fr
touch grass|dope|sooooo coooool|hahahahaha|asdfgh|im a fat bitch|I hope u die|You go to die
Hitler|Jesus|Donald Trump|Mario Rossi|test|merde is a french word|unban unban unban unban unban
wow im gay|well, I guess im a Nazi|PMG LIEK WTF|SHUUUUUUUUUUUUT UP|ho ho ho yo
""".replace("\n", "|").strip("|")

OTHERS = {
    "de": ["Du bist ein Idiot und niemand mag dich", "Vielen Dank für die Hilfe bei der Sache"],
    "fr": ["Tu es un idiot et personne ne t'aime", "Bonjour, merci beaucoup pour votre aide"],
    "es": ["Eres un idiota y nadie te quiere", "Muchas gracias por tu ayuda"],
    "pt": ["Você é um idiota e ninguém gosta de você", "Muito obrigado pela sua ajuda"],
    "it": ["Sei un idiota e non piaci a nessuno", "Grazie mille per il tuo aiuto"],
    "nl": ["Je bent een idioot en niemand vindt je leuk"],
    "pl": ["Jesteś idiotą i nikt cię nie lubi"],
    "ru": ["Спасибо большое за помощь"],
    "zh": ["你是个白痴", "谢谢你的帮助"],
    "ja": ["あなたは馬鹿だ"],
    "ko": ["너는 바보야"],
    "ar": ["أنت غبي"],
    "el": ["Είσαι ηλίθιος"],
}


@pytest.fixture(scope="module")
def english():
    return LanguageDetector(["en"])


@pytest.fixture(scope="module")
def reading():
    """A detector that reads what the embedded model reads."""
    return LanguageDetector(["en"], load_classifier().read)


@pytest.mark.parametrize("text", SLANG.split("|"))
def test_short_slang_is_english(english, text):
    assert english.detect(text) == ["en"]


def test_no_comment_of_the_sample_is_foreign(english):
    with SAMPLE.open(encoding="utf-8", newline="") as stream:
        texts = [row["comment_text"] for row in csv.DictReader(stream)]
    assert len(texts) > 300
    assert [text for text in texts if english.detect(text) not in (["en"], [])] == []


@pytest.mark.parametrize(("code", "text"), [(code, t) for code in OTHERS for t in OTHERS[code]])
def test_a_sentence_of_another_language_is_detected(english, code, text):
    assert english.detect(text) == [code]


@pytest.mark.parametrize("text", ["merci", "danke schön", "muchas gracias amigo"])
def test_up_to_three_words_in_latin_letters_are_taken_for_english(english, text):
    assert english.detect(text) == ["en"]


@pytest.mark.parametrize("text", ["", "123", "😀", "?!…", "@someone #tag", "https://example.org/a"])
def test_a_text_without_words_has_no_detected_language(english, text):
    assert english.detect(text) == []


def test_served_languages_are_preferred_in_doubt():
    detector = LanguageDetector(["de", "en"])
    assert detector.detect("Das ist doch Quatsch") == ["de"]
    assert detector.detect("Thank you for your help") == ["en"]
    assert detector.detect("Muchas gracias por tu ayuda") == ["es"]
    assert detector.detect("die")[0] in ("de", "en")


HINDI_IN_LATIN = "Aap kaise hain bhai, aaj mausam bahut accha hai"


def test_hindi_in_latin_letters_is_a_language_of_its_own(english):
    assert english.detect(HINDI_IN_LATIN) == ["hi-Latn"]
    hindi = LanguageDetector(["en", "hi"])
    assert hindi.detect(HINDI_IN_LATIN) == [hindi.surely(HINDI_IN_LATIN)] == ["hi-Latn"]
    assert hindi.detect("आप कैसे हैं") == ["hi"]


@pytest.mark.parametrize(
    "text", ["Tum Yummies are nice", "jai alai is a sport", "Ti ho detto di no", "Ja, mein Kind"]
)
def test_a_word_or_two_that_hindi_has_too_are_not_hindi(text):
    assert LanguageDetector(["de", "en", "hi", "it"]).detect(text) != ["hi-Latn"]


def test_lone_surrogates_and_nul_do_not_disturb_detection(english):
    assert english.detect("you \ud800 are \x00 an idiot") == ["en"]


STYLES = {
    "bold": (0x1D400, 0x1D41A),
    "script": (0x1D4D0, 0x1D4EA),
    "full-width": (0xFF21, 0xFF41),
    "circled": (0x24B6, 0x24D0),
    "squared": (0x1F130, 0x1F130),
}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("text", ["you are such a worthless clown", "nobody asked you, fool"])
def test_english_in_styled_letters_is_english(english, style, text):
    upper, lower = STYLES[style]
    styled = "".join(
        chr((upper if c.isupper() else lower) + ord(c.lower()) - ord("a")) if c.isalpha() else c
        for c in text
    )
    assert styled != text
    assert english.detect(styled) == ["en"]


def test_another_language_in_styled_letters_stays_another(english):
    text = "Du bist ein Idiot und niemand mag dich"
    bold = "".join(chr(0x1D41A + ord(c) - ord("a")) if c.islower() else c for c in text)
    assert english.detect(bold) == ["de"]


SENTENCE = "nobody asked you for this garbage, so be quiet now"


@pytest.mark.parametrize(
    "letters",
    [
        "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘǫʀꜱᴛᴜᴠᴡxʏᴢ",
        "".join(map(chr, range(0x1F150, 0x1F150 + 26))),
        "".join(map(chr, range(0x1F170, 0x1F170 + 26))),
        "".join(map(chr, range(0x249C, 0x249C + 26))),
        "аbсdеfgһіјklmnорqrѕtuvwхуz",
        "αbcdεfghιjklmnορqrstυvwχyz",
        [f"&#{ord(letter)};" for letter in "abcdefghijklmnopqrstuvwxyz"],
        [chr(0x1F1E6 + number) + " " for number in range(26)],
    ],
)
def test_english_in_letters_that_the_tokenizer_folds_is_english(reading, letters):
    table = dict(zip("abcdefghijklmnopqrstuvwxyz", letters, strict=True))
    gap = "   " if table["a"].endswith(" ") else " "
    styled = "".join(gap if c == " " else table.get(c, c) for c in SENTENCE)
    assert reading.detect(styled) == ["en"]


@pytest.mark.parametrize(("code", "text"), [(code, t) for code in OTHERS for t in OTHERS[code]])
def test_another_language_is_detected_as_before_by_what_the_tokenizer_reads(reading, code, text):
    assert reading.detect(text) == [code]


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("ru", "Скачай видео на YouTube и отправь мне ссылку в Telegram"),
        ("ru", "Это мой новый iPhone, купил его вчера в магазине"),
        ("el", "Το νέο update του Windows είναι πολύ αργό για μένα"),
        ("zh", "我昨天在GitHub上看到了这个bug"),
        ("fr", "Tu es vraiment un іdiot et personne ne t'aime ici"),
    ],
)
def test_another_language_stays_itself_with_some_words_of_two_scripts(reading, code, text):
    assert reading.detect(text) == [code]


@pytest.mark.parametrize("text", ["", "123", "😀", "?!…", "@someone #tag", "https://example.org/a"])
def test_a_text_without_words_has_none_to_the_tokenizer_either(reading, text):
    assert reading.detect(text) == []
