"""The page at `/`: HTML, CSS, JavaScript modules, which `service/api/page_files.py` sends to browsers."""
