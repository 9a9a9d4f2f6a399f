"""Server-rendered pages: what is wrong, what was done, what is asked of me."""
