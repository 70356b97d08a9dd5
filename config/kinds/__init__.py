"""The kinds of source, one file each, behind one profile (`profile.py`), looked up in one table (`table.py`)."""
