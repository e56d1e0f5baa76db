"""Judges that strangers trained on photographs, each a thin adapter in a file of its own.

fer.py, facex.py: seven emotions. units.py: face units. dlib.py, facenet.py: identity. Their networks come in packages
that carry the weights; the packages' own code is not run, so what it needs (tensorflow, opencv) is not needed. cards.py
in the room above says where each comes from and what it reads well.
"""
