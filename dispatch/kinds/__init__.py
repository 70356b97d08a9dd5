"""What becomes of the records of each kind of source: one file each, behind one profile (`profile.py`)."""
