"""Networks: bridges, addresses, published ports and names, with one nftables table of our own."""
