"""Figures that others published for FFE-Bench, from the PixelSmile article (arXiv 2603.25728).

They were taken on other pictures (portraits and anime frames) and with other judges (Gemini 3 Pro, and the mean of
ArcFace, AdaFace and FaceNet). The formulas are those of the article; pxs/judging/measures.py says where ours differ.
The figures stand beside measured rows for orientation, never for ranking.
"""

from __future__ import annotations

PUBLISHED: dict[str, dict[str, float]] = {
    "Seedream-4.5": {"mscr": 0.3725, "acc_6": 0.5294, "acc_12": 0.3737, "id_sim": 0.7221},
    "Nano Banana Pro": {"mscr": 0.1754, "acc_6": 0.8431, "acc_12": 0.6200, "id_sim": 0.7107},
    "GPT-Image-1.5": {"mscr": 0.1107, "acc_6": 0.8039, "acc_12": 0.6300, "id_sim": 0.5056},
    "FLUX.2 Klein": {"mscr": 0.2850, "acc_6": 0.4510, "acc_12": 0.3310, "id_sim": 0.4146},
    "LongCat-Image-Edit": {"mscr": 0.1754, "acc_6": 0.6275, "acc_12": 0.4100, "id_sim": 0.6036},
    "Qwen-Image-Edit-2511": {"mscr": 0.2625, "acc_6": 0.4510, "acc_12": 0.2900, "id_sim": 0.6938},
    "SAEdit": {"cls_6": -0.0183, "cls_12": 0.0007},
    "ConceptSlider": {"cls_2": 0.3161, "hes": 0.3656, "id_sim": 0.6250},
    "AttributeControl": {"cls_2": 0.2856, "hes": 0.2712, "id_sim": 0.3609},
    "K-Slider": {"cls_6": -0.0459, "cls_12": -0.0634, "hes": 0.3272, "id_sim": 0.7974},
    "SliderEdit": {"cls_6": 0.5599, "cls_12": 0.5217, "hes": 0.3441, "id_sim": 0.7414},
    "PixelSmile without training": {
        "mscr": 0.2400,
        "acc_6": 0.5294,
        "acc_12": 0.3500,
        "cls_6": 0.6892,
        "cls_12": 0.5217,
        "hes": 0.4086,
        "id_sim": 0.6769,
    },
    "PixelSmile": {
        "mscr": 0.0550,
        "acc_6": 0.8627,
        "acc_12": 0.6000,
        "cls_6": 0.8078,
        "cls_12": 0.7305,
        "hes": 0.4723,
        "id_sim": 0.6522,
    },
}
"""Method -> measure -> published figure; what is absent was not published.

"cls_2" is the CLS of two expressions, happy and surprised: sliders that have only these. "PixelSmile without training"
is the interpolation of embeddings on the bare base model.
"""

MEASURES = ("mscr", "acc_6", "acc_12", "cls_6", "cls_12", "hes", "id_sim")

ABLATION: dict[str, dict[str, float]] = {
    name: dict(zip(MEASURES, figures, strict=True))
    for name, figures in {
        "no contrast": (0.2725, 0.6471, 0.5889, 0.6978, 0.5889, 0.4500, 0.7018),
        "no identity loss": (0.0550, 0.8824, 0.6500, 0.8215, 0.6874, 0.4451, 0.5749),
        "one-sided": (0.1350, 0.7843, 0.4700, 0.7939, 0.6488, 0.4253, 0.6402),
        "log ratio": (0.1750, 0.8039, 0.5300, 0.7917, 0.6546, 0.4933, 0.6943),
        "hinge": (0.0950, 0.8824, 0.6600, 0.7997, 0.7228, 0.4758, 0.6280),
        "trained on MEAD": (0.2125, 0.7647, 0.4700, 0.7047, 0.6187, 0.4235, 0.5735),
        "full": (0.0550, 0.8627, 0.6000, 0.8078, 0.7305, 0.4723, 0.6522),
    }.items()
}
"""Variant of PixelSmile's training -> measure -> published figure. Acc-12 and CLS-12 of "no contrast" are equal."""
