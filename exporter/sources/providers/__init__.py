"""One module per provider, gateway or cloud; what they share lies beside them."""
