"""What runs beside a submission in a rerun: hooks at its boundary only, and a scorer for the model that they capture.

Unlike `watch` it costs next to nothing: no operation is followed, and nothing here needs the emulator on a GPU.
"""
