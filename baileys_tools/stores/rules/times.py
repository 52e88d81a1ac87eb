"""Times that a column holds as numbers: seconds since 1970, or milliseconds, as JavaScript counts."""

_FIRST_OF_MILLISECONDS = 100_000_000_000
"""In seconds that is the year 5138, in milliseconds 1973."""


def ns_of_number(number: str) -> str:
    """Given the expression for a number, return that for the nanoseconds since 1970 which it stands for."""
    scale = f"CASE WHEN {number} > {_FIRST_OF_MILLISECONDS} THEN 1000000 ELSE 1000000000 END"
    return f"{number} * {scale}"


def number_of(written_ns: int, another: float | None) -> int:
    """Return a time as a column has it that holds `another`, None where it holds none yet."""
    is_in_seconds = another is not None and another <= _FIRST_OF_MILLISECONDS
    return written_ns // (1_000_000_000 if is_in_seconds else 1_000_000)
