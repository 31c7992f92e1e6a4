"""What fails without a price, on a book: losses, what is asked for, what notices it, and cascades of forced sales."""
