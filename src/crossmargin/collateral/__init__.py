"""What is held is worth: haircuts by asset and size, caps by asset, issuer and chain."""
