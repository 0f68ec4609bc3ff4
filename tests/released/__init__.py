"""What released versions wrote, as it was: this release must read all of it. Files are added, never changed."""
