"""Human votes on clips watched side by side: battles, votes, ratings.

A campaign shows people two clips made for the same item, blind, and asks which is better. Every number is derived from
append-only rows; ratings come with intervals that know that votes of one voter, and votes on one item, hang together.
"""
