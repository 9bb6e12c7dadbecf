"""What comes by AWS: envelopes, and the shapes of what AWS puts into them."""
