"""What ecomrec_quickstart guesses from the names and types of a shop's models, and the adapter it writes from that."""
