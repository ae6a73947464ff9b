"""Reading documents of people we do not know: each in a process of its own, under limits.

Nothing here but ``reading`` knows of Django: the process that reads begins fast, and with
nothing to lose.
"""
