"""Which models judge whether a text does harm: their cards say what such models get wrong.

    is_about_harm(["OFF", "NOT"])             True
    is_about_harm(["negative", "positive"])   False

The rule: a model is about harm if a word of one of its labels says so, in English or as it is
called in some other languages (HARM), or if its labels are those of a known data set (CODES). A
negated word says so as well: `not_hate` is the other class of hate. Where no label says anything
(`label`, `LABEL_0`, `1`), the names of the training data and of the model decide. Exceptions:

- hate, anger and the like beside joy or love are emotions;
- spam alone is not harm: none of what the card warns of is about advertising;
- negative, bad and 1 star are opinions, not harm.
"""

import re
import unicodedata
from collections.abc import Iterable

HARM = re.compile(
    # English; a word may go on: toxic, toxicity; offensive, offence; racism, racist
    r"toxi|hat(e|red|ing)|offen[sc]|abus(e|ive)|insult|threat|harass|obscen|profan|vulgar|slurs?$|"
    r"rac(ism|ist)|sexis|misogyn|(homo|trans|xeno|islamo)phob|antisemit|bigot|bull(y|ied)|violen|"
    r"aggress|hostil|derogat|defam|dehuman|demean|incivil|uncivil|inflammator|extremis|"
    r"radicali[sz]|troll(s|ing)?$|rude|swear|cursing|sexual|nsfw|unsafe|discriminat|stereotyp|"
    # what such labels are called elsewhere: de, fr, es, it, pt, nl, tr, id, pl, ru
    r"hass$|hass(rede|komm|botsch)|beleidig|beschimpf|bedroh|haine|injurieu|menac|odio|ofens|acoso|amenaz|minacc|"
    r"ameac|haat|beledig|nefret|hakaret|kebencian|kasar|nienawi|obrazliw|"
    r"оскорб|токсич|ненавист|угроз"
)
"""How words begin that say harm, in small letters without accents."""
CODES = (
    {"off", "not"},
    {"hof", "not"},
    {"hs"},
    {"attack"},
    {"personal_attack"},
    {"identity_attack"},
)
"""Labels that say harm only as a whole: of OLID, HASOC, hate speech in Indonesian, Wikipedia."""
DATA = {"jigsaw", "olid", "hasoc", "germeval", "detoxify"}
EMOTION = {"hate", "hatred", "violence", "aggression", "aggressiveness", "hostility"}
OTHER_EMOTIONS = {"love", "joy", "happiness", "happy", "sadness", "sad", "fear"}
SAYS_NOTHING = re.compile(r"((label|class|target|output|score|y)_?)?\d*|true|false|yes|no")


def is_about_harm(labels: Iterable[str], names_of_data: Iterable[str] = ()) -> bool:
    """Whether a model with these labels judges harm; the rule is at the top of this file.

    names_of_data: names of files and of the model, asked where no label says anything.
    """
    plain = {_plain(label) for label in labels}
    if all(SAYS_NOTHING.fullmatch(label) for label in plain):
        words = {word for name in names_of_data for word in _words(_plain(name))}
        return _says_harm(words) or not words.isdisjoint(DATA)
    words = {word for label in plain for word in _words(label)}
    if words & OTHER_EMOTIONS:
        words -= EMOTION
    return _says_harm(words) or any(codes <= plain for codes in CODES)


def _says_harm(words: Iterable[str]) -> bool:
    return any(HARM.match(word) for word in words)


def _plain(label: str) -> str:
    """A label in small letters without accents; SevereToxic becomes severe_toxic."""
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", label.strip())
    letters = unicodedata.normalize("NFKD", split).casefold()
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return re.sub(r"[\s/-]+", "_", plain)


def _words(plain: str) -> set[str]:
    """The words of it, also those after a prefix for negation: nontoxic has toxic."""
    words = set(re.findall(r"[^\W\d_]+", plain))
    return words | {re.sub(r"^(cyber|non|un|anti|in)", "", word) for word in words}
