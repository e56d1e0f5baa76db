"""How the asset of the portraits is made from public packages; nothing here is needed to render."""
