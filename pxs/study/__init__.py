"""Studies in which people rate edits blindly: made from a bench, answered on one page a rater, and scored.

    make        pictures of a bench -> key.json and a page for every rater
    serve       the same pages for several raters at once, their answers in one SQLite file
    score       answers -> results.json, a table and a figure

    FOLDER/key.json             what was asked of whom, and what it was; stays with the researcher
    FOLDER/pages/RATER.html     one page a rater, with everything in it; says nothing about methods
    FOLDER/answers.sqlite       what came in by `serve`

Two scales, as in the study of PixelSmile (arXiv 2603.25728): continuity, whether an expression grows evenly over a
sweep, and identity, whether it stays the same person; each from 1 to 5, or by choice between two sweeps.
"""
