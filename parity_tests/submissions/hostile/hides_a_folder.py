"""Makes folders that only root may look into."""
import os
import time

os.mkdir("hidden", 0o300)
for number in range(1000):
    os.mkdir(f"hidden/{number}", 0)
time.sleep(1000)
