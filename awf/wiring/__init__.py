"""The composition roots: the only place, beside `awf.testing`, that builds the product out of its parts."""
