"""How fast the implementations are: against the floor, and against what users write.

To be read in this order: `work` and `loops`, what is timed; `timing` and `worker`, how its
steps are; `costs`, `whole` and `lecture_script`, whole processes, which `commands` runs;
`series` and `ratios`, what becomes of the numbers; and `bench`, all of it.
"""

ROUNDS = 15  # repeats, where nobody asks for another number
