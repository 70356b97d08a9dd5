"""The parts that other packages may add: kinds of function and failure destinations; and how their code is kept apart.

`public.py` is the contract, with its version; `guarded_invoker.py` and `guarded_destination.py` run a plug-in's code in
`own_loop.py`, so that a fault of it is a fault of one function or one destination.
"""

from __future__ import annotations
