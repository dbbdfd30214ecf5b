raise KeyboardInterrupt("an interrupt from within")
