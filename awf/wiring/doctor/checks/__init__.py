"""One check a file: a module here with a `SPEC` of type Check is a part of `awf doctor`."""
