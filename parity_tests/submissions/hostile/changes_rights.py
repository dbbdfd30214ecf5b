"""Takes away the right to read it."""
import os

os.chmod(__file__, 0)
