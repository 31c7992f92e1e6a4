"""Chains as machines: backends that run or reach one, endpoints that may lie, and the follower that reads them."""
