"""What clients have subscribed to."""
