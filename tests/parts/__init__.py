"""Parts that tests are put together from: real servers, real tools, and images made without a network."""
