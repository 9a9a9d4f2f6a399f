"""Types, ports and names that every other part shares; standard library only (`http` excepted)."""
