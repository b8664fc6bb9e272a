"""What happens while texts are embedded, as records, and who sees them."""
