"""What a portfolio is worth in every scenario: pricing kernels per family, and R built block by block."""
