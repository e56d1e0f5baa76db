"""Comparing methods: tasks, the runner, and the methods themselves, one file each under methods/."""
