"""What one number does not show of a model: fairness, function, robustness, operating points.

    python -m finetune.audit --model NAME [--data FILE] [--madlibs FILE] [--hatecheck FILE] …

identity          are people judged by what they are?
function          which kinds of hate are understood (HateCheck)?
threats           which kinds of threats are, and what is taken for one?
robustness        do scores hold when words are disguised?
operating_points  what does each threshold give, and are the probabilities true?
transfer          how does it rank the comments of other places?

Each is a function on arrays that gives a report. measures.py takes them, with files read by
sources.py; record.py keeps a model's reports as audit.json in its folder; docs/measures.md has the
formulas.
"""
