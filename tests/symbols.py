"""Symbols for tests: examples from real feeds, and a strategy for any symbol that the rule allows."""

from hypothesis import strategies as st

ODD_SYMBOLS = [
    *("^GSPC", "ES=F", "BTC/USDT", "X:BTCUSD", "M&M.NS", "BAJAJ-AUTO.NS", "AAPL  240119C00190000", "brk.b", "$SPX"),
    *("#ES", "/ES", "A+B@C!D_E:F", "A=", "a" * 32, "0", "^" * 32, "A  =  B", "..", "//", "A#B", "A$&+"),
]
"""Indices, futures, pairs, options and other symbols that the rule allows."""

_FIRST = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789^.$#/"
_LAST = _FIRST + "=:_&+@!-"
any_symbol = st.one_of(
    st.sampled_from(ODD_SYMBOLS),
    st.sampled_from(_FIRST),
    st.tuples(st.sampled_from(_FIRST), st.text(st.sampled_from(_LAST + " "), max_size=30), st.sampled_from(_LAST)).map(
        "".join
    ),
)
"""A hypothesis strategy for any symbol that the rule allows."""
