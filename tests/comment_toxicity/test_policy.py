"""Policies: their file, the words that always or never count, and flags."""

import csv
import hashlib
import random
import time
import tomllib

import numpy as np
import pytest

from comment_toxicity import load_classifier
from comment_toxicity.errors import SettingsError
from comment_toxicity.policy import (
    MAX_FILE,
    NOTHING_LEFT,
    PLAIN,
    Policies,
    Policy,
    Rules,
    read_text,
    snippet,
)
from comment_toxicity.text import without_lone_surrogates
from tests.running import ROOT

LABELS = ["toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"]


@pytest.fixture(scope="module")
def embedded():
    return load_classifier()


@pytest.fixture(scope="module")
def rules(embedded):
    """The rules of a policy for the embedded model."""

    def make(**fields):
        return Rules(Policy("forum", **fields), embedded)

    return make


def parse(text, labels=LABELS, single_label=False):
    return Policies.parse("policy.toml", text, labels, single_label)


def test_a_file_has_thresholds_words_keys_and_a_default():
    policies = parse(
        'default = "forum"\n[policies.forum]\nnever = ["Scunthorpe"]\n'
        f'keys = ["plain", "sha256:{hashlib.sha256(b"hashed").hexdigest()}"]\n'
        'thresholds = {toxic = 0.6, insult = 1}\nalways = {insult = ["numpty"]}\n'
        '[policies."Coral:https://example.org"]'
    )
    assert policies.default == "forum"
    forum = policies.named["forum"]
    assert forum.thresholds == {"toxic": 0.6, "insult": 1.0}
    assert (forum.always, forum.never) == ({"insult": ("numpty",)}, ("Scunthorpe",))
    digests = {hashlib.sha256(key).digest() for key in (b"plain", b"hashed")}
    assert policies.of_keys() == dict.fromkeys(digests, "forum")
    assert policies.named["Coral:https://example.org"].thresholds == {}


WORDS = ", ".join(f'"w{number}"' for number in range(1000))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("default = ", "not TOML"),
        ("a = " + "[" * 5000, "not TOML"),
        ("", "policies has no policy"),
        ("policies = 3", "policies is not a table"),
        ("polices = {}", "polices is unknown"),
        ("policies.a = 1", "policies.a is not a table"),
        ("policies.'a b' = {}", "policies.a b is not a name"),
        ("policies." + "a" * 101 + " = {}", "is not a name"),
        ("\n".join(f"[policies.p{number}]" for number in range(101)), "policies has more than 100"),
        ("default = 'b'\n[policies.a]", "default is b"),
        ("default = 1\n[policies.a]", "default is 1"),
        ("[policies.a]\ntreshold = {}", "policies.a.treshold is unknown"),
        ("[policies.a.thresholds]\nrude = 0.5", "policies.a.thresholds.rude is not a label"),
        ("[policies.a.thresholds]\ntoxic = 1.5", "policies.a.thresholds.toxic is 1.5"),
        ("[policies.a.thresholds]\ntoxic = nan", "policies.a.thresholds.toxic is nan"),
        ("[policies.a.thresholds]\ntoxic = true", "policies.a.thresholds.toxic is True"),
        ("[policies.a.always]\nrude = ['x']", "policies.a.always.rude is not a label"),
        ("[policies.a]\nnever = 'x'", "policies.a.never is not a list"),
        ("[policies.a]\nnever = ['x', ' ']", "policies.a.never has a blank word"),
        ("[policies.a]\nnever = ['" + "x" * 61 + "']", "policies.a.never has xxx"),
        ("[policies.a]\nnever = ['a b c d e f g h i']", "policies.a.never has a b"),
        (f"[policies.a]\nnever = [{WORDS}, 'x']", "policies.a.never has more than 1,000 words"),
        (
            f"[policies.a]\nnever = [{WORDS}]\nalways.toxic = ['x']",
            "policies.a has more than 1,000 words",
        ),
        ("[policies.a]\nnever = ['X']\nalways.toxic = ['x']", "policies.a.never has x"),
        ("[policies.a]\nkeys = 'k'", "policies.a.keys is not a list"),
        ("[policies.a]\nkeys = ['k']\n[policies.b]\nkeys = ['k']", "give one key to two"),
    ],
)
def test_a_broken_file_is_one_sentence_with_the_file_and_the_key(text, key):
    with pytest.raises(SettingsError) as raised:
        parse(text)
    assert str(raised.value).startswith("policy.toml: ")
    assert key in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_single_label_model_takes_words_but_no_thresholds():
    assert parse("[policies.a]\nnever = ['x']", ["rude", "kind"], True).named["a"].never == ("x",)
    with pytest.raises(SettingsError, match=r"policies\.a\.thresholds"):
        parse("[policies.a.thresholds]\nrude = 0.5", ["rude", "kind"], True)


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path):
    huge, latin = tmp_path / "huge.toml", tmp_path / "latin.toml"
    huge.write_text("#" * (MAX_FILE + 1), encoding="utf-8")
    latin.write_bytes("# é".encode("latin-1"))
    for path in (tmp_path, tmp_path / "none.toml", huge, latin):
        with pytest.raises(SettingsError, match=str(path)):
            read_text(str(path))


def test_a_word_that_never_counts_is_taken_out_however_it_is_written(rules):
    never = rules(never=["Idiot"])
    for written in ("idiot", "IDIOT", "𝐢𝐝𝐢𝐨𝐭", "іdіоt", "id<b>iot", "ⓘⓓⓘⓞⓣ", "i\u200bdiot"):
        treated = never.treat(f"You {written}, go. Idiots stay.")
        assert treated.text == "You , go. Idiots stay.", written
        assert treated.original(len(treated.text)) == len(f"You {written}, go. Idiots stay.")
    assert never.treat("idiotic").text == "idiotic"


def test_plain_text_is_read_as_the_tokenizer_reads_it(rules, embedded):
    found = rules(never=["you", "don't", "a b"], always={"insult": ["!", "idiot"]})
    assert found._plain
    with (ROOT / "data" / "sample.csv").open(encoding="utf-8", newline="") as stream:
        texts = [row["comment_text"] for row in csv.DictReader(stream)]
    plain = [text for text in texts if PLAIN.fullmatch(text)]
    assert len(plain) > len(texts) / 2
    folded = rules(never=["you", "don't", "a b"], always={"insult": ["!", "idiot"]})
    folded._plain = False
    assert [found.treat(text) for text in plain] == [folded.treat(text) for text in plain]
    assert any(found.treat(text).removed for text in plain)


def test_a_tokenizer_that_folds_digits_reads_plain_text_too(embedded):
    class Leet:
        labels, thresholds = embedded.labels, embedded.thresholds

        def pieces(self, text):
            return embedded.pieces(text.replace("1", "i"))

    treated = Rules(Policy("a", never=["idiot"]), Leet()).treat("an 1d1ot here")
    assert treated.text == "an  here"


def test_scores_are_those_of_the_comment_without_the_words(rules, embedded):
    treated = rules(never=["idiot"]).treat("You are an idiot")
    assert np.array_equal(embedded.score([treated.text]), embedded.score(["You are an "]))


def test_an_entry_of_several_words_and_signs_is_found_whole(rules):
    found = rules(never=["pain in the ass", "don't"], always={"obscene": ["ass"]})
    treated = found.treat("A PAIN  in the ass. Don't!")
    assert (treated.text, treated.always) == ("A . !", frozenset())
    assert found.treat("a pain in the\nneck, ass").always == {"obscene"}


def test_a_short_entry_is_found_at_the_end_where_a_longer_one_does_not_fit(rules):
    found = rules(never=["you", "a b c"], always={"insult": ["fool", "such a fool"]})
    assert found.treat("to you").text == "to "
    assert found.treat("A fool").always == {"insult"}


def test_positions_lead_back_to_the_original(rules):
    text = "idiot a idiot b ﷺ idiot"
    treated = rules(never=["idiot"]).treat(text)
    assert treated.text == " a  b ﷺ "
    for sign in "ab":
        assert text[treated.original(treated.text.index(sign))] == sign
    assert treated.original(len(treated.text)) == len(text)
    # One character that is read as four words is taken out once.
    assert rules(never=["الله", "صلى"]).treat("a ﷺ b").text == "a  b"


def test_a_comment_of_nothing_else_is_scored_as_a_full_stop(rules):
    treated = rules(never=["idiot"]).treat(" idiot  idiot")
    assert treated.text == "."
    assert treated.original(1) == len(" idiot  idiot")


def test_lone_surrogates_do_no_harm(rules):
    assert rules(never=["idiot"]).treat("a \ud800 idiot \ud800").text == "a �  �"


def test_a_word_that_always_flags_changes_no_score(rules, embedded):
    always = rules(always={"threat": ["numpty"]})
    treated = always.treat("Thank you, NUMPTY.")
    assert treated.text == "Thank you, NUMPTY."
    [scores] = embedded.score([treated.text])
    assert embedded.flags(scores) == []
    assert always.flags(scores, treated.always) == ["threat"]


def test_a_policy_without_thresholds_flags_what_the_classifier_flags(embedded):
    """Even if its decision does not know the labels, as that of a stand-in."""

    class StandIn:
        labels = ("rude", "kind")
        decision = embedded.decision
        pieces = embedded.pieces
        thresholds = embedded.thresholds

        def flags(self, scores):
            return ["kind"]

    row = np.float32([0.9, 0.1])
    assert Rules(Policy("a"), StandIn()).flags(row) == ["kind"]
    assert Rules(Policy("a", {"rude": 0.5}), StandIn()).flags(row) == ["rude", "kind"]
    assert Rules(Policy("a", {"kind": 0.5}), StandIn()).flags(row) == []


def test_a_score_that_equals_the_threshold_is_flagged(rules):
    row = np.zeros(6, np.float32)
    row[0] = 0.7
    assert rules(thresholds={"toxic": 0.7}).flags(row) == ["toxic"]


def test_labels_left_out_keep_the_models_thresholds(rules, embedded):
    thresholds = rules(thresholds={"toxic": 0.9}).thresholds
    assert thresholds == {**embedded.thresholds, "toxic": 0.9}


def test_the_snippet_is_a_policy_file(embedded):
    text = snippet({"toxic": 0.42349, "insult": 0.5}, "a b")
    assert tomllib.loads(text) == {
        "policies": {"a b": {"thresholds": {"toxic": 0.42349, "insult": 0.5}}}
    }
    assert parse(snippet({"toxic": 0.5})).named["mine"].thresholds == {"toxic": 0.5}


def test_many_words_in_a_long_comment_take_linear_time(rules):
    many = rules(never=[" ".join("ab"[bit == "1"] for bit in f"{n:08b}") for n in range(250)])
    started = time.thread_time()
    many.treat("a b " * 5000)
    assert time.thread_time() - started < 2


UNITS = [
    *("idiot", "IDIOT", "𝐢𝐝𝐢𝐨𝐭", "you", "fool", "a", "ﷺ", "🇮🇩", "🇮 ", "é", "\u0301", "\u200b", "ⓐ"),
    *(
        "<b>",
        "</b>",
        "**",
        "[you](http://a.b)",
        "`",
        "~~",
        "\ud800",
        "\0",
        " ",
        "  ",
        "\n",
        ".",
        "'",
    ),
    *("-", "$", "🖕", "ß", "İ", "ŉ", "㎏", "１", "you fool", "don't", "\u202e", "\ufeff"),
]


def test_whatever_a_stranger_sends_spans_and_positions_fit(rules):
    chance = random.Random(7)
    found = rules(
        never=["idiot", "you fool", "you", "don't", "$", "🖕", "ss", "الله", "i", "a é"],
        always={"insult": ["fool", "idiot you", "."], "threat": ["kg", "a"]},
    )
    for _ in range(1500):
        sent = "".join(chance.choices(UNITS, k=chance.randrange(1, 12)))
        treated = found.treat(sent)
        clean = without_lone_surrogates(sent)
        positions = [treated.original(at) for at in range(len(treated.text) + 1)]
        assert positions == sorted(set(positions)), sent
        assert positions[-1] == len(clean), sent
        if treated.text != NOTHING_LEFT:
            kept = "".join(clean[at] for at in positions[:-1])
            assert kept == treated.text, sent
        again = found.treat(treated.text)
        assert len(again.text) <= len(treated.text)
