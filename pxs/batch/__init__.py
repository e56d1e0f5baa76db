"""Many pictures: which they are, what is made of each, who makes it, and the index and page of the results.

`presets` are settings in a file. `finding` lists the pictures, `plan` names their results and sees what is done.
`work` edits one picture; `processes` and `on_ray` do so on many processors. `index` and `gallery` are what is left.
"""
