"""Figures that others published for FFE-Bench, from the PixelSmile article (arXiv 2603.25728).

They were taken on other pictures (portraits and anime frames), with other judges (a vision-language model, ArcFace) and
formulas of the authors that are not public. They stand beside measured rows for orientation, never for ranking.
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
    "ConceptSlider": {"cls_6": 0.3161, "hes": 0.3656, "id_sim": 0.6250},
    "AttributeControl": {"cls_6": 0.2856, "hes": 0.2712, "id_sim": 0.3609},
    "K-Slider": {"cls_6": -0.0459, "cls_12": -0.0634, "hes": 0.3272, "id_sim": 0.7974},
    "SliderEdit": {"cls_6": 0.5599, "cls_12": 0.5217, "hes": 0.3441, "id_sim": 0.7414},
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
"""Method -> measure -> published figure; what is absent was not published."""
