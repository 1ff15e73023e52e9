"""What one number does not show of a model: fairness, function, robustness, operating points.

    python -m finetune.audit --model NAME [--data FILE] [--madlibs FILE] [--hatecheck FILE] …

identity          are harmless sentences flagged because they name an identity?
function          which kinds of hate does the model recognise (HateCheck)?
threats           which kinds of threats does it recognise, and what else does it flag?
everyday          is everyday language left alone, and abuse seen inside of it?
robustness        do scores hold when words are disguised?
operating_points  what does each threshold give, and are the probabilities calibrated?
transfer          how does the model rank comments from other sites?

Each measure is a function on arrays that returns a report. datasets.py reads the files, run.py
takes the measures, audit.py keeps a model's reports as audit.json in its folder, and card.py writes
the section of its card. docs/measures.md has the formulas.
"""
