"""The page of an account, and the plots that all pages share."""
