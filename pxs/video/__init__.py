"""Video, the first step: one face of a clip is followed and edited, frame by frame.

`clips` reads and writes clips, `tracking` follows a face, `editing` brings both together (`edit_clip`). Frames know
nothing of each other but the noise and the smoothed place of the face, so what the model makes of them flickers.
"""
