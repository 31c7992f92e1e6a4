"""The margin of venues and standards: one small function and one dated table of parameters each."""
