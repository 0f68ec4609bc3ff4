"""Jobs through Redis: arq's queue, keys and formats, woken and answered by events instead of polling.

``client.py`` is the frontend's end, ``worker.py`` the worker's. ``scripts.py`` holds what must happen in one step,
``arq_seam.py`` everything that knows arq.
"""
