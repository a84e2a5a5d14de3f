"""Its import fails with something that is no `Exception`, as a panic in Rust does."""


class PanicError(BaseException):
    """As of a library in another language."""


raise PanicError("no driver")
