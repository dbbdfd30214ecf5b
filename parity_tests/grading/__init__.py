"""Somebody else's layers, run in a process of their own and judged in this one.

- `outcomes`: what is asked of a submission and what it answers: arrays, never verdicts;
- `exercise`: asks it, by the names of the lecture; NumPy and nothing else;
- `confinement`, `child`, `launching`: the process that it runs in;
- `tasks`, `judging`, `diagnosis`: what is asked, whether it is right, and what is wrong;
- `records`, `grade`: what is said of it in the end.
"""
