"""What happens while texts are embedded, as records, and who is told of them."""
