"""A data set of faces with continuous scores, built as FFE was (PixelSmile, arXiv 2603.25728): in stages, on disk.

    collect     folders of pictures   -> identities.jsonl, sources/, sheet.webp     who is in them, what was left out
    compose     the table of parts    -> prompts.jsonl, attributes.md               what to ask for, at three strengths
    generate    any method of a bench -> pictures.jsonl, pictures/                  the expressions, evenly in intensity
    annotate    judges, each a pass   -> labels.jsonl                               12 scores, and which are in doubt
    describe    a second question     -> descriptions.jsonl, for statistics         what people look like
    verify      people                -> verified.jsonl, agreement.json             accepted, corrected, rejected
    build       all of these          -> train.jsonl, test.jsonl, data/, README.md  rows that a trainer reads

Each stage reads the manifest of the one before and writes its own, a JSON object a line (manifest.py). A stage that was
interrupted goes on where it was; one that ran under other settings is made anew. What is left out stays in the
manifest, with the reason.
"""
