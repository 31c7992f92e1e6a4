"""What is known at one time of the tokens that collateral is held in: their own price, backing, chain and way out."""
