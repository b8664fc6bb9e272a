"""One call, from contents to placed vectors."""
