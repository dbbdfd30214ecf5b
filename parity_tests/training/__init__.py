"""Trainings side by side: what they share (`plan`), how they run (`run`, `checkpoints`),
whether they agree (`agreement`, `outcome`, `seeds`), and where they part (`forensics`).
"""
