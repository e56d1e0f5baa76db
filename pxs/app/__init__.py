"""`pxs app`: the panel as a page in the browser, for people who write no Python.

One process holds the model and serves the page (start.py; pages.py answers requests, live.py the connection of a tab).
Each tab of a browser is a `Session` (session.py), whose wishes one thread carries out in turn (engine.py, turns.py).
The files of the page are in page/; they ask no other host for anything, so it works without a network.
"""
