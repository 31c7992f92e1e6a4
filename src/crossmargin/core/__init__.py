"""What nothing else may import: errors, instants, hashes, arrays, checks and the door to the compiler."""
