"""Somebody else's layers, run in a process of their own and judged in this one.

What is graded: `course`. What is found of a submission, and chosen: `submission_files`,
`definitions` with `notebooks` and `copies`, `choosing`. What is asked, and what is
answered: `outcomes`, `tasks` with `tasks_of_functions`, `tasks_of_layers` and `drawing`,
`messages`. In the submission's process: `confinement`, `child`, `loading` with
`source_text` and `stand_ins`, `exercise` with `making`, `spelling`, `asking_networks` and
`using`; what it may import that it did not bring: `handed_out`. In ours: `launching`,
which runs it; `rights` and `truths` with `truths_of_functions` and `truths_of_layers`,
`findings` and `judging`, whether it is right; `diagnosis` with `wrong`, `relations` and
`formulas`, what is wrong; `cautions`, what is risky; `records` and `grade`, what is said
in the end.
"""
