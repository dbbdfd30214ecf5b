"""Somebody else's layers, run in a process of their own and judged in this one.

What is asked, and what is answered: `outcomes`, `tasks`, `messages`. In the submission's
process: `confinement`, `child`, `loading`, `exercise` with `asking_networks` and
`using`. In ours: `submission_files` and `launching`, which run it; `truths`, `findings`
and `judging`, whether it is right; `diagnosis` with `wrong`, `relations` and `formulas`,
what is wrong; `cautions`, what is risky; `records` and `grade`, what is said in the end.
"""
