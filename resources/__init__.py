"""What assets borrow: the store, the trainer, the corpus engine. Keep domain code out of it."""
