"""Other methods of linear control: what each adds to a transformer, as a torch module with hooks, one file each.

    slideredit.py        SliderEdit (arXiv 2511.09715): a LoRA that takes the edit back
    slideredit_st.py     the same with a slider for each of several instructions in one prompt
    conceptslider.py     ConceptSlider (arXiv 2311.12092): a LoRA for each expression
    attributecontrol.py  AttributeControl (arXiv 2403.17064): a vector for each expression, added to one token
    saedit.py            SAEdit (arXiv 2510.05081): a direction among the features of a sparse autoencoder
    kslider.py           K-Slider (Kontinuous Kontext, arXiv 2510.08532): a network that predicts modulation
    lora.py              LoRAs with a gate for every row or token
    instructions.py      prompts of several instructions, and which tokens belong to which
    registry.py          all of them by name
    files.py             reading and writing of weights

`pxs train --method NAME` trains them (pxs/training/rivals.py), `pxs bench --methods NAME` runs them
(pxs/benchmark/methods). The code and its forms are ours, after the formulas of the articles; each file says what
differs. Intensity means the same for all: 0 is the edit by the neutral prompt, 1 that by the prompt of the expression.
"""

ST = "slideredit_st"
"""The method whose prompts may give several instructions."""
NAMES = ("slideredit", ST, "kslider", "conceptslider", "conceptslider_visual", "attributecontrol", "saedit")
