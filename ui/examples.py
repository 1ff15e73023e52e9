"""Ten sample comments to try, written for this page, and what scores cannot do."""

SAMPLES = (
    "Thank you for the careful rewrite, the section reads so much better now.",
    "I disagree with nearly everything in this draft, and I would cut the second half.",
    "You are an idiot, and nobody here wants to read another word from you.",
    "Shut the hell up, this is the dumbest crap I have read all week.",
    "If I ever see you at the club again, I will break your arm.",
    "He told her that she was “a worthless cow”, and that is why he was banned.",
    "Proud to be a gay Muslim woman, and happy to answer questions about my faith.",
    "People like you should go back where they came from, you are ruining this country.",
    "This heat is killing me, and the bloody bus is late again!",
    "What a brilliant idea. Let's ask the arsonist to inspect the smoke detectors, too.",
)

NAMES = (
    "Praise", "Criticism", "Insult", "Swearing", "Threat", "Quoted insult", "Identity",
    "Go back", "Bloody bus", "Irony",
)  # fmt: skip
EXAMPLES = dict(zip(NAMES, SAMPLES, strict=True))
"""The samples by a word or two each."""

FIRST = 2
"""Which sample is scored when the page opens."""

HARMS = """
- **Not a moderator on its own.** It helps a person decide what to read first. Do not block anyone
  or remove a comment on a score alone.
- **It reads words, not intentions.** Dialect, reclaimed words, and abuse that is quoted, reported
  or denied can score too high. Irony, polite contempt, veiled threats, and hate that only the
  context reveals can score too low.
- **A model can be unfair to people who mention their identity.** The embedded one seldom flags a
  harmless sentence for that, but dialects were not measured. Other models can do far worse: see
  *Fairness and robustness* on the Models page.
- **English only**, unless a model says otherwise. In other languages the scores mean nothing.
"""
