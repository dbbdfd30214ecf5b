"""Leaves something behind where the user lives."""
import os
import pwd

home = pwd.getpwuid(os.getuid()).pw_dir
with open(os.path.join(home, ".gradparity-was-here"), "w") as file:
    file.write("hello")
