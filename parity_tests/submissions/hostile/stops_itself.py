"""Is stopped, and does not go on by itself."""
import os
import signal

os.kill(os.getpid(), signal.SIGSTOP)
