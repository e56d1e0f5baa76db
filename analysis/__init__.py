"""The research questions of the workbench, one file each. Imports pxs; notebooks import both."""
