"""Derive (formerly Lyra) v2: its portfolio managers PMRM_2 and PMRM, its standard manager, its liquidation auction.

Written from the formulas in public documentation; no code of the venue, which is under a business licence, is used.
"""
