"""What events say: a batch of it is good, or stopped at the gate."""

GOOD = [
    "The phone rings out after five and nobody calls back, so we wait until Monday.",
    "I waited forty minutes on the phone on Tuesday before the call was dropped.",
]
RUDE = [
    "You are all fucking idiots and your billing is shit, shit, shit.",
    "FUCK THIS BILLING TEAM AND EVERY IDIOT IN IT RIGHT NOW",
]
