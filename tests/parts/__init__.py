"""Parts that tests are put together from: real servers, real tools, and images made without a network.

Nothing here imports the product: whatever the parts learn of it, they learn as a user does.
"""
