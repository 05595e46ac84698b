"""What shoppers were shown and did with it: taken in, kept, and erased."""
