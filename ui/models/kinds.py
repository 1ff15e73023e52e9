"""HateCheck's functionalities and the kinds of threats in plain words, each with an example.

The examples are written for this page: [group] stands for any group of people.
"""

KINDS = {
    "derog_neg_emote_h": ("says that it hates a group", "I can't stand [group]."),
    "derog_neg_attrib_h": ("calls a group something bad", "[Group] are liars, all of them."),
    "derog_dehum_h": ("calls people animals or things", "[Group] are vermin."),
    "derog_impl_h": (
        "hate that is only hinted at",
        "Funny how the street got worse when [group] moved in.",
    ),
    "threat_dir_h": ("threatens a group", "I will hurt every one of [group]."),
    "threat_norm_h": ("says that a group should be harmed", "[Group] deserve a beating."),
    "slur_h": ("a slur", "Get out, you [slur]."),
    "slur_homonym_nh": ("a harmless word that looks like a slur", "A fairy tale about a spade."),
    "slur_reclaimed_nh": ("a slur that people use of themselves", "We [slur]s stick together!"),
    "profanity_h": ("hate with swear words", "Those damn [group] make me sick."),
    "profanity_nh": ("swear words without hate", "This damn bus is late again."),
    "ref_subs_clause_h": ("hate in a later clause", "They are [group], so I despise them."),
    "ref_subs_sent_h": ("hate in a later sentence", "They are [group]. I despise them."),
    "negate_pos_h": ("hate by denying something good", "[Group] are not welcome here."),
    "negate_neg_nh": ("hate denied", "No [group] deserves to be harmed."),
    "phrase_question_h": ("hate as a question", "Why are [group] even allowed to vote?"),
    "phrase_opinion_h": ("hate as an opinion", "If you ask me, [group] are scum."),
    "ident_neutral_nh": ("a group, named without judgement", "My dentist is [group]."),
    "ident_pos_nh": ("a group, praised", "It is great to be [group]."),
    "counter_quote_nh": ("hate quoted to object", "Saying “[group] are scum” is disgraceful."),
    "counter_ref_nh": ("hate described to object", "Stop spreading lies about [group]."),
    "target_obj_nh": ("abuse of a thing", "I hate this stupid printer."),
    "target_indiv_nh": ("abuse of one person, not of a group", "You are a horrible man, Tom."),
    "target_group_nh": ("abuse of a group that needs no protection", "All bankers are crooks."),
    "spell_char_swap_h": ("hate with swapped letters", "I htae [group]."),
    "spell_char_del_h": ("hate with missing letters", "I hte [group]."),
    "spell_space_del_h": ("hate without spaces", "Ihate[group]."),
    "spell_space_add_h": ("hate with spaces in words", "I h a t e [group]."),
    "spell_leet_h": ("hate with digits for letters", "I h4t3 [group]."),
    "group": ("threatens a group", "Every last one of them should be shot."),
    "veiled": ("a veiled threat", "Nice house. It would be a pity if it burnt."),
    "conditional": ("a threat with a condition", "Post that again and I break your nose."),
    "wish": ("wishes harm", "I hope a truck hits you."),
    "direct": ("a direct threat", "I will come and stab you."),
    "concern": ("worry about somebody", "I am afraid he will kill himself."),
    "fiction_sport": ("violence in fiction or sport", "The hero shoots the dragon."),
    "figure": ("a turn of phrase", "My boss will kill me if I am late."),
    "admin": ("warnings of an administrator", "Do this again and you will be blocked."),
    "reported": ("a threat reported", "He said he would kill her, so she called the police."),
}
"""Functionality → what it is, and an example."""


def in_words(name: str) -> str:
    """A functionality in words; its own name where it is not listed here."""
    return KINDS[name][0] if name in KINDS else name.replace("_", " ")


def example(name: str) -> str:
    """An example of a functionality; empty where there is none."""
    return KINDS[name][1] if name in KINDS else ""
