"""How each kind of source handles its records: one file each, behind one profile (`profile.py`)."""
