"""Comparing methods: edit tasks, judge the pictures, make the table; the methods are one file each under methods/."""
